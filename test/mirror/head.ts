// Heads of jobs as text, the way they lie in a record, for tests.

/** From "METHOD target\r\n" and header lines, each with its end. */
export function toHeadText(text: string): string {
  return `${text.replace('\r\n', ' HTTP/1.1\r\n')}\r\n`;
}
