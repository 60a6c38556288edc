// What is compared: the gateway's configurations, each as a text in umbra's own dialect.
//
// A variant differs from `off` by its mirror block and by nothing else. `twin` does not differ at all: what it
// seems to cost is what the method cannot tell apart.

export type ShadowKind = 'answering' | 'hung';

export interface Variant {
  readonly name: string;
  /** For people, in tables. */
  readonly title: string;
  /** Null: nothing is mirrored. */
  readonly shadow: ShadowKind | null;
  readonly compares: boolean;
}

export const OFF: Variant = { name: 'off', title: 'mirroring off', shadow: null, compares: false };
export const TWIN: Variant = { name: 'twin', title: 'off once more (A/A)', shadow: null, compares: false };
export const MIRROR: Variant = {
  name: 'mirror',
  title: 'all mirrored',
  shadow: 'answering',
  compares: false,
};
export const COMPARE: Variant = {
  name: 'compare',
  title: 'all mirrored, compared',
  shadow: 'answering',
  compares: true,
};
export const HUNG: Variant = {
  name: 'hung',
  title: 'all mirrored, shadow hangs',
  shadow: 'hung',
  compares: false,
};

export const ROUTE_ID = 'bench';
export const REQUEST_PATH = '/api/items/42?fields=text';

export interface ConfigPorts {
  readonly http: number;
  readonly admin: number;
  readonly primary: number;
  readonly shadow: Record<ShadowKind, number>;
}

export interface ConfigOptions {
  readonly ports: ConfigPorts;
  readonly adminKey: string;
  /** For a gateway in slow motion, where everything is late: no copy must be given up for that. */
  readonly isSlowed: boolean;
}

/** One front-end thread with one mirror thread, so that a thread's figure is the figure. */
export function toConfigText(variant: Variant, { ports, adminKey, isSlowed }: ConfigOptions): string {
  const lines = [
    'listen:',
    `  http: 127.0.0.1:${ports.http}`,
    'admin:',
    `  listen: 127.0.0.1:${ports.admin}`,
    `  key: ${adminKey}`,
    'threads: { frontend: 1, mirror: 1 }',
    ...(isSlowed ? ['limits: { overload_delay: 60s }'] : []),
    'routes:',
    `  - id: ${ROUTE_ID}`,
    '    path: /api',
    '    path_prefix: true',
    '    backends:',
    `      - url: http://127.0.0.1:${ports.primary}`,
  ];
  if (variant.shadow !== null) {
    lines.push(
      '    mirror:',
      '      backends:',
      `        - url: http://127.0.0.1:${ports.shadow[variant.shadow]}`,
    );
    if (isSlowed) {
      lines.push(
        '      timeout: { connect: 60s, send: 60s, read: 60s }',
        '      breaker: { failures: 1000, open_for: 1s }',
      );
    }
    if (variant.compares) lines.push('      compare: { enabled: true }');
  }
  return `${lines.join('\n')}\n`;
}
