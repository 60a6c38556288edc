// The documents of all files, read and told apart, and what they say in the one shape that their form is rewritten into.
//
// Owns the order of the first steps: read, parse, recognise, fit to a schema. What the documents say together is assembly.ts's.

import { dirname, resolve } from 'node:path';
import { rewriteAdc } from './apisix/adc.ts';
import { type MirrorTimeouts, noticeRest, readMirrorTimeouts } from './apisix/attribute.ts';
import { rewriteKubernetes } from './apisix/kubernetes.ts';
import {
  type DocumentTree,
  type Place,
  Places,
  type Resource,
  type RewriteContext,
} from './apisix/resource.ts';
import { findPlace, fitResource } from './apisix/resource-shape.ts';
import { rewriteStandalone } from './apisix/standalone.ts';
import { ANY_SYNTAX, DOUBLE_SYNTAX } from './environment.ts';
import {
  FORM_ADC,
  FORM_KUBERNETES,
  FORM_ROUTE,
  FORM_STANDALONE,
  FORM_STATIC,
  FORM_UMBRA,
  type Form,
  isReadIn,
  recognizeForm,
} from './form.ts';
import { formatProblem, type Problem } from './problem.ts';
import { Report } from './report.ts';
import { createShape, fitShape, type Loose } from './shape.ts';
import { type ReadDocument, readDocuments, type Tree } from './source.ts';
import type { UmbraInput } from './umbra/schema.ts';
import { UmbraSchema } from './umbra/schema.ts';
import type { Translation } from './umbra/upstream.ts';

/** A file as it was read: its text, or why there is none. */
export interface InputFile {
  readonly file: string;
  readonly text: string | null;
  readonly problem: string | null;
}

/** A document in umbra's own form, fit to its schema. */
export interface UmbraDocument {
  readonly input: Loose<UmbraInput>;
  readonly translation: Translation;
}

export class BundledFile {
  readonly file: string;
  /** What relative file names are relative to. */
  readonly folder: string;
  /** Of the file as a whole, and of each document. */
  readonly reports: Report[];
  readonly umbra: UmbraDocument[] = [];
  readonly resources: Resource[] = [];
  readonly timeouts: MirrorTimeouts[] = [];
  /** With the id of the route that each is about, if it is about one. */
  readonly #notices = new Map<string, string | null>();

  constructor(file: string) {
    this.file = file;
    this.folder = dirname(resolve(file));
    this.reports = [new Report(file, null)];
  }

  get notices(): readonly string[] {
    return [...this.#notices.keys()];
  }

  addNotice({ report, path }: Place, message: string, found?: unknown, route: string | null = null): void {
    // What is shown is the value; else it is the key that has no effect.
    const atKey = found === undefined && typeof path.at(-1) === 'string';
    const notice = formatProblem(report.describe({ path, rule: 'not_served', message, found, atKey }));
    if (!this.#notices.has(notice)) this.#notices.set(notice, route);
  }

  /** The notices that are about that route, or about none. */
  noticesOf(route: string | null): readonly string[] {
    return [...this.#notices].filter(([, about]) => about === route).map(([notice]) => notice);
  }

  /** In the order of the file. */
  listProblems(): readonly Problem[] {
    const problems = this.reports.flatMap((report) => report.list());
    return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }
}

export interface Bundle {
  readonly files: readonly BundledFile[];
  readonly places: Places;
  /** Services and upstreams that a route has asked for. */
  readonly used: Set<Tree>;
  /** The file of a place. */
  ownerOf(place: Place): BundledFile;
}

interface RecognizedDocument extends DocumentTree {
  readonly form: Form;
}

const umbraShape = createShape(UmbraSchema);

/**
 * Never throws: what is wrong is in the reports of the files. They say something together, unless each is taken by itself:
 * then names are told apart within a file only, and what a file does not have is looked for in the others.
 */
export function readBundle(
  inputs: readonly InputFile[],
  environment: NodeJS.ProcessEnv,
  isEach: boolean,
): Bundle {
  const places = new Places();
  const owners = new Map<Report, BundledFile>();
  const byFile: (readonly RecognizedDocument[])[] = [];
  const seen = new Set<string>();
  const files = inputs.map((input) => {
    const file = new BundledFile(input.file);
    const name = resolve(input.file);
    // What has no ids would be there twice, with nothing to say so.
    const isAgain = !isEach && seen.has(name);
    seen.add(name);
    const read = isAgain ? { ...input, text: null, problem: 'is given twice' } : input;
    byFile.push(readFile(read, file, environment, places));
    for (const report of file.reports) owners.set(report, file);
    return file;
  });
  const documents = byFile.flat();
  const ownerOf = (place: Place): BundledFile => owners.get(place.report)!;
  const context: RewriteContext = {
    places,
    addNotice: (place, message) => ownerOf(place).addNotice(place, message),
  };
  for (const resource of rewrite(isEach ? byFile : [documents], context)) {
    const place = findPlace(resource.value, [], places);
    ownerOf(place).resources.push(fitResource(resource, places));
  }
  readStatic(documents, context, ownerOf);
  return { files, places, used: new Set(), ownerOf };
}

function readFile(
  { text, problem }: InputFile,
  file: BundledFile,
  environment: NodeJS.ProcessEnv,
  places: Places,
): readonly RecognizedDocument[] {
  const [whole] = file.reports;
  if (text === null) {
    whole!.add({ path: [], rule: 'file', message: problem ?? 'cannot be read' });
    return [];
  }
  const hasEnd = /(?:^|\n)#END\s*$/.test(text);
  const documents: RecognizedDocument[] = [];
  for (const document of readDocuments(text, environment, whole!)) {
    const { report, source, tree } = document;
    file.reports.push(report);
    const form = recognize(document, hasEnd);
    if (form === null) continue;
    source.expand(
      tree,
      form === FORM_UMBRA || form === FORM_ADC ? ANY_SYNTAX : DOUBLE_SYNTAX,
      (path) => isReadIn(form, tree as Tree, path),
      report,
    );
    if (form === FORM_UMBRA) {
      const input = fitShape(umbraShape, tree, source, report) as Loose<UmbraInput>;
      file.umbra.push({ input, translation: { report, folder: file.folder } });
      continue;
    }
    places.noteTree(tree, report);
    documents.push({ form, tree: tree as Tree, report, path: [] });
    if (form === FORM_STANDALONE && !hasEnd && !text.trimStart().startsWith('{')) {
      file.addNotice({ report, path: [] }, 'does not end with a line #END: APISIX would not read this file');
    }
  }
  return documents;
}

/** Null when it cannot be told, which is reported. */
function recognize({ tree, report }: ReadDocument, hasEnd: boolean): Form | null {
  const form = recognizeForm(tree, hasEnd);
  if (typeof form === 'string') return form;
  report.add({ ...form, rule: form.path.length === 0 ? 'type' : 'unknown_key', atKey: true });
  return null;
}

/** Names are told apart within a group. */
function rewrite(
  groups: readonly (readonly RecognizedDocument[])[],
  context: RewriteContext,
): readonly Resource[] {
  const pick = (...forms: readonly Form[]): readonly (readonly DocumentTree[])[] =>
    groups.map((documents) => documents.filter(({ form }) => forms.includes(form)));
  return [
    ...pick(FORM_STANDALONE, FORM_ROUTE).flatMap((group) => rewriteStandalone(group, context)),
    ...pick(FORM_ADC).flatMap((group) => rewriteAdc(group, context)),
    ...rewriteKubernetes(pick(FORM_KUBERNETES), context),
  ];
}

function readStatic(
  documents: readonly RecognizedDocument[],
  context: RewriteContext,
  ownerOf: (place: Place) => BundledFile,
): void {
  for (const document of documents) {
    if (document.form !== FORM_STATIC && document.form !== FORM_STANDALONE) continue;
    const timeouts = readMirrorTimeouts(document);
    if (timeouts !== null) ownerOf(timeouts.place).timeouts.push(timeouts);
    if (document.form === FORM_STATIC) noticeRest(document, context);
  }
}
