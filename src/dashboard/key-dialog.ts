// Asks the user for the key, one question at a time.

import { find, setText } from './dom.ts';

/** What a header can carry and a key may consist of; anything else would never leave the browser. */
const KEY = /^[\x21-\x7e]+$/;
const NO_KEY =
  'This cannot be a key: keys consist of ASCII letters, digits and signs, without blanks. Was something else copied with it?';

/** Resolves with a key, or null when the question was closed. `reason` is what the server said of the last one. */
export type AskKey = (reason: string) => Promise<string | null>;

export function createKeyDialog(): AskKey {
  const dialog = find('key-dialog', HTMLDialogElement);
  const input = find('key-input', HTMLInputElement);
  const reasonText = find('key-reason', HTMLElement);
  let give: (key: string | null) => void = () => {};

  find('key-form', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    const key = input.value.trim();
    if (!KEY.test(key)) {
      setText(reasonText, NO_KEY);
      input.focus();
      return;
    }
    give(key);
    dialog.close();
  });
  find('key-cancel', HTMLButtonElement).addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => {
    input.value = '';
    give(null);
  });

  return (reason) =>
    new Promise((resolve) => {
      // A promise takes the first answer alone: closing after a key changes nothing.
      give = resolve;
      setText(reasonText, reason === '' ? '' : `The gateway says: ${reason}.`);
      if (!dialog.open) dialog.showModal();
      input.focus();
    });
}
