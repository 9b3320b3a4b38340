import { relative } from "node:path";
import { NotInstalled } from "../error.ts";
import { saveFigure } from "../report/render.ts";
import type { Figure } from "../report/style.ts";

/**
 * Draws a figure to <basePath>.svg and .png, and gives the line that names the files. A result is worth printing without its picture: where
 * the packages that draw are not installed, the line says so.
 */
export async function drawPicture(figure: Figure, basePath: string): Promise<string> {
  try {
    const files = await saveFigure(figure, basePath);
    return `Picture: ${files.map((path) => relative(process.cwd(), path)).join(", ")}`;
  } catch (error) {
    if (error instanceof NotInstalled) return `No picture was drawn, since ${error.finding}`;
    throw error;
  }
}
