// Words of a shell's command line, quoted so that nothing in them means anything to it.
//
// What is quoted here came from clients and shadows and is pasted into terminals: whatever cannot be seen there, or that
// some shell might look at, is written as a number. Single quotes are every shell's; $'…' is that of bash, zsh and ksh.
// Bodies are long: a word is looked at as a whole and in runs, never character by character.

const PLAIN = /^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*$/;
/** Printable, and nothing but itself between single quotes in any shell, but for the single quote: \p{P} has it too. */
const QUOTABLE = /^[ -~\p{L}\p{N}\p{P}\p{S}]*$/u;
/** Letters and symbols by their category that show nothing: fillers, and the blank of Braille and of musical notation. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u2800\u{1d159}]/v;
/** What does not stand for itself in $'…'; of what is beyond ASCII only letters and digits do that can be seen. */
const UNSAFE_RUNS = /[^ "#-&\(-\[\]-~[[\p{L}\p{N}]--[\p{Default_Ignorable_Code_Point}\u2800\u{1d159}]]]+/gv;
const UNSAFE_BYTE_RUNS = /[^ "#-&(-[\]-~]+/g;

/** By byte. Three digits always, so that what follows cannot join them. */
const OCTALS: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => `\\${byte.toString(8).padStart(3, '0')}`,
);

/** `text` without NUL: no word can have one. */
export function quoteWord(text: string): string {
  if (PLAIN.test(text)) return text;
  const sound = text.toWellFormed();
  if (QUOTABLE.test(sound) && !INVISIBLE.test(sound)) return `'${sound.replaceAll("'", "'\\''")}'`;
  return `$'${sound.replace(UNSAFE_RUNS, (run) => toOctals(Buffer.from(run, 'utf8')))}'`;
}

/** One byte per character, as header lines and targets are: those beyond ASCII are written as the byte that they are. */
export function quoteBytes(latin1: string): string {
  if (/^[\x20-\x7e]*$/.test(latin1)) return quoteWord(latin1);
  return `$'${latin1.replace(UNSAFE_BYTE_RUNS, (run) => toOctals(Buffer.from(run, 'latin1')))}'`;
}

function toOctals(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) text += OCTALS[byte]!;
  return text;
}
