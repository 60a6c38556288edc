// Edge cases: the request line (RFC 9112 section 3), and what comes instead of one.

import { forwarded, get, HOST, refused, silent, toBytes } from './edge-case.ts';

function target(text: string): string {
  return toBytes(`GET ${text}`);
}

function method(text: string): string {
  return toBytes(`${text} /row`);
}

function version(text: string): string {
  return `GET /row ${text}\r\nHost: ${HOST}\r\n\r\n`;
}

export const targetCases = [
  forwarded('a plain target', target('/')),
  forwarded('%2f stays as it is', target('/a%2fb%2Fc%2e%2e/%00')),
  forwarded('a percent sign alone', target('/a%zz%')),
  forwarded('an empty query', target('/a?')),
  forwarded('question marks in a query', target('/a??x=?&y=/../%3f')),
  forwarded('double slashes', target('//a//b//')),
  forwarded('dot segments', target('/a/../b/./c/..')),
  forwarded('characters that URLs should not have', target('/a\\b"<>^`{|}[]')),
  forwarded('a target like a URL', target('/http://other.example/')),
  forwarded('semicolons and at signs', target('/a;b=c/@d:e,f')),
  forwarded('a target of 8 KiB', target(`/${'a'.repeat(8191)}`)),
  forwarded('a target of 8 KiB with its query', target(`/?${'a'.repeat(8190)}`)),
  refused('a target of 8 KiB and one', target(`/${'a'.repeat(8192)}`), 414),
  refused('a target of 8 KiB and one with its query', target(`/?${'a'.repeat(8191)}`), 414),
  refused('a target of 30 KiB', target(`/${'a'.repeat(30 * 1024)}`), 414),
  refused('a fragment', target('/a#b')),
  refused('a fragment in a query', target('/a?b#c')),
  refused('UTF-8 in a path', target('/\xc3\xa9')),
  refused('latin1 in a query', target('/a?\xe9')),
  refused('DEL in a path', target('/a\x7fb')),
  refused('a control character in a path', target('/a\x01b'), 505),
  refused('NUL in a path', target('/a\0b'), 505),
  refused('a tab in a path', target('/a\tb'), 505),
  refused('a space in a path', target('/a b'), 505),
  refused('two spaces before the target', target(' /a'), 505),
  refused('two spaces behind the target', target('/a '), 505),
  refused('no target', `GET  HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`, 505),
  refused('a target without slash', target('a'), 505),
  refused('a query alone', target('?a'), 505),
  refused('a target in absolute form', target('http://other.example/row'), 505),
  refused('OPTIONS *', toBytes('OPTIONS *'), 505),
  refused('CONNECT', toBytes('CONNECT other.example:443'), 505),
];

export const lineCases = [
  forwarded('a method in lower case', method('get'), { closes: true }),
  forwarded('every character of a token as method', method("M-SEARCH!#$%&'*+.^_`|~09az"), {
    closes: true,
  }),
  forwarded('a method of 300 characters', method('A'.repeat(300)), { closes: true }),
  forwarded('TRACE', method('TRACE')),
  forwarded('HEAD', method('HEAD')),
  forwarded('OPTIONS', method('OPTIONS')),
  refused('a bracket in a method', method('GE(T')),
  refused('an at sign in a method', method('GET@')),
  refused('a comma in a method', method('GET,')),
  refused('no method', method('')),
  refused('a byte beyond ASCII in a method', method('G\xc9T'), 505),
  refused('a tab in a method', method('G\tT'), 505),
  refused('NUL in a method', method('G\0T'), 505),
  refused('HTTP/1.0', version('HTTP/1.0'), 505),
  refused('HTTP/1.2', version('HTTP/1.2'), 505),
  refused('HTTP/2.0', version('HTTP/2.0'), 505),
  refused('HTTP/1.10', version('HTTP/1.10'), 505),
  refused('http/1.1 in lower case', version('http/1.1'), 505),
  refused('white space behind the version', version('HTTP/1.1 '), 505),
  refused('lines that end in bare LF', `GET /row HTTP/1.1\nHost: ${HOST}\n\n`, 505),
  refused('a space before the method', ` ${get()}`, 505),
  silent('HTTP/0.9', 'GET /row\r\n\r\n'),
  silent('an empty line before the request', `\r\n${get()}`),
  refused("HTTP/2's preface", 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505),
  refused('PROXY protocol in text', `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${get()}`, 505),
  // Taken by the listener from anybody; what it says is not believed.
  forwarded(
    'PROXY protocol in binary',
    `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\0\x01\0\x02${get()}`,
    { line: 'GET /row HTTP/1.1' },
  ),
  refused('the beginning of TLS', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03', 505),
];
