/** An error whose message is one sentence for the user: what was asked, what was found, what to do. The CLI prints it alone. */
export class KitError extends Error {
  override readonly name: string = "KitError";
}
