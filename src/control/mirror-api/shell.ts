// Words of a shell's command line, quoted so that nothing in them means anything to it.
//
// What is quoted here came from clients and shadows and is pasted into terminals: whatever cannot be seen there, or that
// some shell might look at, is written as a number. Single quotes are every shell's; $'…' is that of bash, zsh and ksh.

const PLAIN = /^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*$/;
/** Printable, and nothing but itself between single quotes in any shell. */
const QUOTABLE = /^[ -&(-~\p{L}\p{N}\p{P}\p{S}]*$/u;
const SAFE_IN_ESCAPED = /^[ "#-&(-[\]-~\p{L}\p{N}]$/u;

/** `text` without NUL: no word can have one. */
export function quoteWord(text: string): string {
  if (PLAIN.test(text)) return text;
  const sound = text.toWellFormed();
  if (QUOTABLE.test(sound)) return `'${sound.replaceAll("'", "'\\''")}'`;
  return `$'${Array.from(sound, escapeCharacter).join('')}'`;
}

/** One byte per character, as header lines and targets are: those beyond ASCII are written as the byte that they are. */
export function quoteBytes(latin1: string): string {
  if (/^[\x20-\x7e]*$/.test(latin1)) return quoteWord(latin1);
  return `$'${Array.from(latin1, (character) =>
    character > '\x7f' ? toOctal(character.charCodeAt(0)) : escapeCharacter(character),
  ).join('')}'`;
}

function escapeCharacter(character: string): string {
  if (SAFE_IN_ESCAPED.test(character)) return character;
  return Array.from(Buffer.from(character, 'utf8'), toOctal).join('');
}

/** Three digits always, so that what follows cannot join them. */
function toOctal(byte: number): string {
  return `\\${byte.toString(8).padStart(3, '0')}`;
}
