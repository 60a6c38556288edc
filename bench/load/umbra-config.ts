// A row's configuration in umbra's own dialect: what an operator would write, and no more.

import { ROUTE_ID, type Row, type RowMirror } from './rows.ts';

export interface UmbraSetup {
  readonly port: number;
  readonly adminPort: number;
  readonly adminKey: string;
  readonly primaryPort: number;
  /** One for each copy. */
  readonly shadowPorts: readonly number[];
  /** PEM files for rows with TLS. */
  readonly certificate: { readonly certificateFile: string; readonly keyFile: string } | null;
  /** For a gateway in slow motion, where everything is late: no copy must be given up for that. */
  readonly isSlowed: boolean;
}

export function toConfigText(row: Row, setup: UmbraSetup): string {
  const { certificate } = setup;
  const listen =
    row.tls && certificate !== null
      ? `  https: { address: 127.0.0.1:${setup.port}, certificate: ${certificate.certificateFile}, key: ${certificate.keyFile} }`
      : `  http: 127.0.0.1:${setup.port}`;
  const lines = [
    'listen:',
    listen,
    'admin:',
    `  listen: 127.0.0.1:${setup.adminPort}`,
    `  key: ${setup.adminKey}`,
    `threads: { frontend: ${row.frontends}, mirror: 1 }`,
    ...(setup.isSlowed ? ['limits: { overload_delay: 60s }'] : []),
    'routes:',
    `  - id: ${ROUTE_ID}`,
    '    path: /api',
    '    path_prefix: true',
    '    backends:',
    `      - { url: 'http://127.0.0.1:${setup.primaryPort}', client: ${row.client} }`,
    ...(row.mirror === null ? [] : toMirrorLines(row.mirror, row.client, setup)),
  ];
  return `${lines.join('\n')}\n`;
}

function toMirrorLines(
  mirror: RowMirror,
  client: Row['client'],
  { shadowPorts, isSlowed }: UmbraSetup,
): string[] {
  return [
    '    mirror:',
    `      percentage: ${mirror.percentage}`,
    '      backends:',
    ...shadowPorts.map((port) => `        - { url: 'http://127.0.0.1:${port}', client: ${client} }`),
    ...(isSlowed
      ? [
          '      timeout: { connect: 60s, send: 60s, read: 60s }',
          '      breaker: { failures: 1000, open_for: 1s }',
        ]
      : []),
    ...toCompareLines(mirror.compares),
  ];
}

function toCompareLines(compares: RowMirror['compares']): string[] {
  if (compares === 'nothing') return [];
  return [`      compare: { enabled: true${compares === 'detail' ? ', detailed_diff: true' : ''} }`];
}
