// Finds where one HTTP answer ends and the next may begin.
//
// Only what the load client needs: status and Content-Length framing, which is what the origins send. Anything
// else is an error, so that a benchmark never counts bytes that it did not understand.

const HEAD_END = Buffer.from('\r\n\r\n');

export class AnswerReader {
  /** Status of the last whole answer. */
  status = 0;
  #head: Buffer = Buffer.alloc(0);
  /** Body bytes still to come; -1 while the head is incomplete. */
  #left = -1;

  /** Takes the next bytes, which the caller may overwrite afterwards; true when they complete an answer. */
  push(bytes: Buffer): boolean {
    if (this.#left >= 0) return this.#pass(bytes.length);
    const head = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes]);
    const end = head.indexOf(HEAD_END);
    if (end < 0) {
      this.#head = Buffer.from(head);
      return false;
    }
    this.#head = Buffer.alloc(0);
    const text = head.toString('latin1', 0, end);
    this.status = Number(text.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(text);
    if (length === null) throw new Error(`an answer without Content-Length:\n${text}`);
    this.#left = Number(length[1]);
    return this.#pass(head.length - end - HEAD_END.length);
  }

  #pass(bytes: number): boolean {
    if (bytes > this.#left) throw new Error('more bytes than the answer announced');
    this.#left -= bytes;
    if (this.#left > 0) return false;
    this.#left = -1;
    return true;
  }
}
