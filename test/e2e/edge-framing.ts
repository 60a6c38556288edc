// Edge cases: where a request ends, and what may stand behind it (RFC 9112 sections 2, 6 and 7).
//
// The listener has its own way with some of these and does not show it. Rows that say so are forwarded as the
// listener reads them, on a connection that is never used again, so that nothing behind them is ever a request.

import { forwarded, get, killed, post, refused, SMUGGLED, silent, toBytes } from './edge-case.ts';

const CHUNKED = 'Transfer-Encoding: chunked';
const HELLO = '5\r\nhello\r\n0\r\n\r\n';
const HIDDEN = ': hides what follows';

const once = { line: 'POST /row HTTP/1.1', closes: true } as const;

function length(value: string): string {
  return post([`Content-Length: ${value}`], 'hello');
}

function coding(...fields: readonly string[]): string {
  return post(fields, HELLO);
}

function chunks(rest: string): string {
  return post([CHUNKED], rest);
}

export const lengthCases = [
  forwarded('a body of known length', length('5'), { body: 'hello' }),
  forwarded('an empty body of known length', post(['Content-Length: 0'])),
  forwarded('no white space before the length', post(['Content-Length:5'], 'hello'), { body: 'hello' }),
  forwarded('much white space around the length', length('  5 \t '), { body: 'hello' }),
  forwarded('zeros before the length', length('005'), { body: 'hello' }),
  forwarded('GET with a body', get(['Content-Length: 5'], 'hello'), { body: 'hello' }),
  forwarded('POST without any length ends its connection', post(), { closes: true }),
  forwarded('PUT without any length ends its connection', toBytes('PUT /row'), { closes: true }),
  forwarded('PATCH without any length ends its connection', toBytes('PATCH /row'), { closes: true }),
  forwarded('DELETE without any length ends its connection', toBytes('DELETE /row'), { closes: true }),
  refused('two different lengths', post(['Content-Length: 5', 'Content-Length: 6'], 'hello')),
  refused('the same length twice', post(['Content-Length: 5', 'Content-Length: 5'], 'hello')),
  refused('no length and one', post(['Content-Length:', 'Content-Length: 5'], 'hello')),
  refused('an empty length', length('')),
  killed('an empty length in front of a request', post(['Content-Length:'], SMUGGLED)),
  refused('a length with plus', length('+5')),
  refused('a length with minus', length('-5')),
  refused('a length of minus zero', length('-0')),
  refused('a length in hex', length('0x5')),
  refused('a list of lengths', length('5, 5')),
  refused('a list of an empty length and one', length(', 5')),
  refused('a length with a decimal point', length('5.0')),
  refused('a length with an exponent', length('5e0')),
  refused('a length with a space in it', length('5 5')),
  refused('a length beyond 64 bits', length('18446744073709551621')),
  refused('a length of 17 digits', length('00000000000000005')),
  refused('a quoted length', length('"5"')),
  forwarded('names that only look like framing', get(['Content_Length: 5', 'Transfer_Encoding: chunked']), {
    fields: ['content_length: 5', 'transfer_encoding: chunked'],
  }),
];

export const codingCases = [
  forwarded('a chunked body', chunks(HELLO), { ...once, body: 'hello' }),
  forwarded('a chunked body in two chunks', chunks('5\r\nhello\r\n00B\r\n wide world\r\n0\r\n\r\n'), {
    ...once,
    body: 'hello wide world',
  }),
  forwarded('a chunk size in hex of either case', chunks('a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n'), {
    ...once,
    body: '0123456789abcdefghij',
  }),
  forwarded('an empty chunked body', chunks('0\r\n\r\n'), once),
  forwarded('a last chunk of several zeros', chunks('5\r\nhello\r\n000\r\n\r\n'), { ...once, body: 'hello' }),
  forwarded('a chunked DELETE', toBytes('DELETE /row', [CHUNKED], HELLO), { body: 'hello', closes: true }),
  forwarded('a chunked GET', toBytes('GET /row', [CHUNKED], HELLO), { body: 'hello', closes: true }),
  forwarded('a tab before the coding', coding('Transfer-Encoding:\tchunked'), { ...once, body: 'hello' }),
  refused('length, then coding', coding('Content-Length: 5', CHUNKED)),
  refused('coding, then length', coding(CHUNKED, 'Content-Length: 5')),
  refused('length, then an empty coding', post(['Content-Length: 5', 'Transfer-Encoding:'], 'hello')),
  refused('an empty coding', coding('Transfer-Encoding:')),
  refused('an empty coding, then a real one', coding('Transfer-Encoding:', CHUNKED)),
  refused('the coding twice', coding(CHUNKED, CHUNKED)),
  refused('identity', post(['Transfer-Encoding: identity'], 'hello')),
  refused('xchunked', coding('Transfer-Encoding: xchunked')),
  refused('chunkedx', coding('Transfer-Encoding: chunkedx')),
  refused('chunked, identity', coding('Transfer-Encoding: chunked, identity')),
  refused('identity, chunked', coding('Transfer-Encoding: identity, chunked')),
  refused('gzip, chunked', coding('Transfer-Encoding: gzip, chunked')),
  refused('chunked, chunked', coding('Transfer-Encoding: chunked, chunked')),
  refused('chunked with a parameter', coding('Transfer-Encoding: chunked;q=1')),
  refused('a quoted coding', coding('Transfer-Encoding: "chunked"')),
  // Allowed by RFC 9112 section 7, but nobody sends it and not everybody reads it alike.
  refused('CHUNKED in capitals', coding('Transfer-Encoding: CHUNKED')),
  silent('a coding behind a vertical tab', coding('Transfer-Encoding: \x0bchunked')),
  silent('a coding whose name ends in a space', coding('Transfer-Encoding : chunked')),
];

export const chunkCases = [
  refused('a chunk size beyond 64 bits', chunks('FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n')),
  refused('a chunk size with minus', chunks('-5\r\nhello\r\n0\r\n\r\n')),
  refused('a chunk size with 0x', chunks('0x5\r\nhello\r\n0\r\n\r\n')),
  refused('more data than the chunk size says', chunks('5\r\nhelloworld\r\n0\r\n\r\n')),
  silent('a chunk size that is no number', chunks('g\r\nhello\r\n0\r\n\r\n')),
  silent('a chunk extension', chunks('5;a=b\r\nhello\r\n0\r\n\r\n')),
  refused('a chunk extension in quotes', chunks('5;a="\r\n"\r\nhello\r\n0\r\n\r\n')),
  silent('a chunked body that stops', chunks('5\r\nhel')),
  // The listener does not tell these from sound ones.
  forwarded('read as sound: a space behind the chunk size', chunks('5 \r\nhello\r\n0\r\n\r\n'), {
    ...once,
    body: 'hello',
  }),
  forwarded('read as sound: a bare LF behind the chunk size', chunks('5\nhello\r\n0\r\n\r\n'), {
    ...once,
    body: 'hello',
  }),
  forwarded('read as sound: anything instead of CRLF behind the data', chunks('5\r\nhelloXX0\r\n\r\n'), {
    ...once,
    body: 'hello',
  }),
  // And takes these for a last chunk; what follows them is lost with the connection.
  forwarded('read as the end: a space before the chunk size', chunks(' 5\r\nhello\r\n0\r\n\r\n'), once),
  forwarded('read as the end: an empty line for a chunk size', chunks('\r\nhello\r\n0\r\n\r\n'), once),
];

export const behindCases = [
  refused('trailers', chunks('5\r\nhello\r\n0\r\nX-Trailer: v\r\n\r\n'), 505),
  killed('a trailer that is a request', chunks(`5\r\nhello\r\n0\r\n${SMUGGLED}`)),
  killed('a trailer that is a request behind two bytes', chunks(`5\r\nhello\r\n0\r\nxx${SMUGGLED}`)),
  killed('a request behind a chunked one', chunks(HELLO) + SMUGGLED),
  killed('a request behind a chunked one without body', chunks('0\r\n\r\n') + SMUGGLED),
  killed('a request behind a POST without any length', post() + SMUGGLED),
  killed('a request in a body whose length is hidden', post([HIDDEN, 'Content-Length: 54'], SMUGGLED)),
  killed(
    'a request in a DELETE whose length is hidden',
    toBytes('DELETE /row', [HIDDEN, 'Content-Length: 54'], SMUGGLED),
  ),
  killed('pipelining: GET behind GET', toBytes('GET /first') + SMUGGLED, '/first'),
  killed(
    'pipelining: GET behind a body of known length',
    toBytes('POST /first', ['Content-Length: 5'], 'hello') + SMUGGLED,
    '/first',
  ),
  killed(
    'a request in a GET whose length is hidden',
    toBytes('GET /first', [HIDDEN, 'Content-Length: 54'], SMUGGLED),
    '/first',
  ),
  killed('pipelining: a refused request behind GET', toBytes('GET /first') + length('+5'), '/first'),
  // Everything behind a field without a name is hidden from the gateway too: it forwards what it sees.
  forwarded('read as ended: POST whose length is hidden', post([HIDDEN, 'Content-Length: 5'], 'hello'), once),
  forwarded(
    'read as ended: POST whose coding is hidden',
    post([HIDDEN, CHUNKED], `36\r\n${SMUGGLED}\r\n0\r\n\r\n`),
    once,
  ),
  forwarded('fields behind a field without a name are lost', get(['X-Seen: 1', HIDDEN, 'X-Lost: 1']), {
    fields: ['x-seen: 1'],
  }),
  refused('a field without a name before the host', `GET /row HTTP/1.1\r\n${HIDDEN}\r\nHost: a\r\n\r\n`),
  silent('a body that stops', post(['Content-Length: 5000'], 'hello')),
  silent('a head that stops', 'GET /row HTTP/1.1\r\nHost: edge.example\r\n'),
];
