// Reads server-sent events from the bytes of an answer (WHATWG HTML, section 9.2.6).
//
// The browser's EventSource cannot send the key, so the stream is read by fetch and taken apart here.

export interface StreamEvent {
  readonly name: string;
  readonly data: string;
}

/** A server that never ends an event must not fill the page's memory. */
const EVENT_LENGTH_MAX = 64 * 1024 * 1024;

/** Takes text as it comes, gives the events that are complete. Throws when one is too long. */
export function createEventParser(): (text: string) => StreamEvent[] {
  let rest: string[] = [];
  let restLength = 0;
  let dataLength = 0;
  let name = '';
  let data: string[] = [];

  function takeLine(line: string): StreamEvent | null {
    if (line === '') {
      const event =
        data.length === 0 ? null : { name: name === '' ? 'message' : name, data: data.join('\n') };
      name = '';
      data = [];
      dataLength = 0;
      return event;
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') name = value;
    else if (field === 'data') {
      data.push(value);
      dataLength += line.length;
    }
    return null;
  }

  return (text) => {
    restLength += text.length;
    rest.push(text);
    if (restLength + dataLength > EVENT_LENGTH_MAX) throw new Error('an event of the stream is too long');
    if (!text.includes('\n')) return [];
    const lines = rest.join('').split('\n');
    const last = lines.pop()!;
    rest = [last];
    restLength = last.length;
    const events: StreamEvent[] = [];
    for (const line of lines) {
      const event = takeLine(line.endsWith('\r') ? line.slice(0, -1) : line);
      if (event !== null) events.push(event);
    }
    return events;
  };
}
