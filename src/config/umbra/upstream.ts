// What primaries and shadows have in common: umbra's own dialect → model.
//
// Owns the rules about origins, trust, Host and deadlines. Reads what the shape left over, so anything may be missing;
// reports, and goes on with a stand-in that nobody will see, because a config with problems is never returned.

import type { Backend, BackendTls, Timeouts } from '../../core/model.ts';
import { HOST_NODE, HOST_PASS } from '../../core/model.ts';
import { isHostHeader, toOrigin } from '../address.ts';
import { readAuthorities } from '../certificate.ts';
import { DEFAULTS } from '../defaults.ts';
import type { Path } from '../problem.ts';
import { readDuration } from '../quantity.ts';
import type { Report } from '../report.ts';
import type { Loose } from '../shape.ts';
import type { BackendTlsInput, TimeoutInput } from './upstream-schema.ts';

/** What a translation needs beside its input. */
export interface Translation {
  readonly report: Report;
  /** What relative file names are relative to. */
  readonly folder: string;
}

/** The same for parts that stand in a plugin of APISIX's too, where no file is. */
export interface PartTranslation {
  readonly report: Pick<Report, 'add' | 'hasProblemUnder'>;
  readonly folder: string;
}

interface UpstreamInput {
  readonly url?: string | undefined;
  readonly tls?: Loose<BackendTlsInput> | undefined;
  readonly client?: Backend['client'] | undefined;
}

const NOWHERE: Backend = { origin: '', authority: '', tls: null, client: DEFAULTS.client };

export function toBackend(input: UpstreamInput, at: Path, translation: PartTranslation): Backend {
  const { report } = translation;
  const tls = toBackendTls(input.tls, [...at, 'tls'], translation);
  if (input.url === undefined) return NOWHERE;
  const { value, wrong } = toOrigin(input.url);
  if (wrong !== null) {
    const isSecret = input.url.includes('@');
    const path = [...at, 'url'];
    report.add({ path, rule: 'format', message: wrong, ...(isSecret ? {} : { found: input.url }) });
    return NOWHERE;
  }
  if (!value.isHttps && input.tls !== undefined) {
    const path = [...at, 'tls'];
    report.add({ path, rule: 'conflict', message: 'belongs to https:// backends only', atKey: true });
  }
  return {
    origin: value.origin,
    authority: value.authority,
    tls: value.isHttps ? tls : null,
    client: input.client ?? DEFAULTS.client,
  };
}

function toBackendTls(
  input: Loose<BackendTlsInput> | undefined,
  at: Path,
  translation: PartTranslation,
): BackendTls {
  const { report, folder } = translation;
  const ca = input?.ca === undefined ? null : readAuthorities(input.ca, folder, [...at, 'ca'], report);
  return { verify: input?.verify ?? DEFAULTS.tlsVerify, ca };
}

export function toHostHeader(input: string | undefined, path: Path, { report }: PartTranslation): string {
  const rule = input ?? DEFAULTS.hostHeader;
  if (rule !== HOST_PASS && rule !== HOST_NODE && !isHostHeader(rule)) {
    const message = 'must be pass, node or a literal host, with or without a port';
    report.add({ path, rule: 'format', message, found: rule });
  }
  return rule;
}

export function toTimeouts(
  input: Loose<TimeoutInput> | undefined,
  defaults: { connect: string; send: string; read: string },
): Timeouts {
  return {
    connectMs: readDuration(input?.connect, defaults.connect),
    sendMs: readDuration(input?.send, defaults.send),
    readMs: readDuration(input?.read, defaults.read),
  };
}

/** RFC 3986 section 3.3, and what the edge lets through: raw bytes, no query, no fragment. */
export function checkRawPath(text: string, path: Path, { report }: Translation): void {
  if (!text.startsWith('/')) {
    report.add({ path, rule: 'format', message: 'must start with /', found: text });
  } else if (/[?#]/.test(text)) {
    report.add({ path, rule: 'format', message: 'must be a path without query and fragment', found: text });
  } else if (!/^[\x21-\x7e]*$/.test(text)) {
    const message = 'must have visible ASCII characters only, others percent-encoded as they arrive';
    report.add({ path, rule: 'format', message, found: text });
  }
}
