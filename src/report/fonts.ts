import { createRequire } from "node:module";
import type { ResvgRenderOptions } from "@resvg/resvg-js";

const require = createRequire(import.meta.url);

/** Font family of all figures; Arial has the same widths and stands in where an SVG is shown without Arimo. */
export const FONT_FAMILY = "Arimo, Arial, Helvetica, sans-serif";

/** Fonts for resvg: Arimo from npm and none of the machine's, so that a figure has the same bytes everywhere. */
export const fontOptions: NonNullable<ResvgRenderOptions["font"]> = {
  loadSystemFonts: false,
  fontFiles: ["400Regular", "700Bold"].map((style) =>
    require.resolve(`@expo-google-fonts/arimo/${style}/Arimo_${style}.ttf`),
  ),
  defaultFontFamily: "Arimo",
  sansSerifFamily: "Arimo",
};
