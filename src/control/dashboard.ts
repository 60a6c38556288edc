// Serves the dashboard's files on the admin listener: one page, its scripts and styles, and the plot library.
//
// The files hold no data, so they are for everyone; what they show is asked for like everything else. They are read once,
// at start, and nothing that a client sends becomes part of a path: each file is a route of its own.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import type { FastifyInstance } from 'fastify';
import { addPath } from './admin-path.ts';

const PAGE_PATH = '/';
const FILES_PATH = '/dashboard/';
const PAGE_FILE = 'index.html';

/**
 * Nothing runs, loads or is shown that does not come from here, whatever ends up in the page; and text that a shadow sent
 * cannot become script or markup even by a mistake of ours (trusted types: there is no policy that would let it).
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "font-src 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
  // Asked for each time, and not sent again while it is the same: an upgraded umbra must not meet an old script.
  'cache-control': 'no-cache',
};

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Of the plot library, which is served as it was published. */
const LIBRARY_FILES: readonly string[] = ['uPlot.iife.min.js', 'uPlot.min.css'];

/** Relative imports between the scripts: the browser gets each under the name that it has once its types are gone. */
const TYPESCRIPT_IMPORT = /(\bfrom\s+['"]\.\/[\w-]+)\.ts(?=['"])/g;

interface Asset {
  readonly path: string;
  readonly type: string;
  readonly etag: string;
  readonly content: Buffer;
}

/** Whether a path is one of the dashboard's files, which hold no data. */
export function isDashboardPath(path: string): boolean {
  return path === PAGE_PATH || path.startsWith(FILES_PATH);
}

export function addDashboard(app: FastifyInstance): void {
  for (const { path, type, etag, content } of readAssets()) {
    addPath(app, path, {
      GET: async (request, reply) => {
        reply.headers({ ...HEADERS, etag });
        if (request.headers['if-none-match'] === etag) return reply.code(304).send();
        return reply.type(type).send(content);
      },
    });
  }
}

function readAssets(): Asset[] {
  const folder = new URL('../dashboard/', import.meta.url);
  const assets = readdirSync(folder)
    .filter((name) => /\.(?:html|css|js|svg|ts)$/.test(name) && !name.endsWith('.d.ts'))
    .map((name) => toAsset(name, readFileSync(new URL(name, folder))));
  const resolve = createRequire(import.meta.url).resolve;
  const library = LIBRARY_FILES.map((name) => toAsset(name, readFileSync(resolve(`uplot/dist/${name}`))));
  return [...assets, ...library];
}

function toAsset(file: string, bytes: Buffer): Asset {
  const isTypeScript = file.endsWith('.ts');
  const name = isTypeScript ? file.replace(/ts$/, 'js') : file;
  const content = isTypeScript ? Buffer.from(toJavaScript(bytes.toString('utf8'))) : bytes;
  return {
    path: name === PAGE_FILE ? PAGE_PATH : `${FILES_PATH}${name}`,
    type: MEDIA_TYPES[name.slice(name.lastIndexOf('.') + 1)]!,
    etag: `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`,
    content,
  };
}

/** In the repository the scripts lie as they were written; the published package has them without types already. */
function toJavaScript(source: string): string {
  const emitWarning = process.emitWarning;
  // It is what Node runs umbra's own sources by. It warns that its name may change, which is no news for an operator;
  // the call is synchronous, so nobody else's warning is lost.
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(source).replace(TYPESCRIPT_IMPORT, '$1.js');
  } finally {
    process.emitWarning = emitWarning;
  }
}
