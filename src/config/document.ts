// YAML text → the syntax trees of its documents.
//
// Owns how the yaml library is used: strictly, with errors as problems of ours, and within bounds, because the library itself
// recurses and a config may be generated.

import type { Alias, Document, LineCounter, Node, YAMLError } from 'yaml';
import { Composer, isAlias, isScalar, Lexer, Parser, visit } from 'yaml';
import type { Position, Report } from './report.ts';

/** Deeper than any key of umbra by far. */
export const DEPTH_MAX = 64;

/** Errors after which the rest of the document is still what its author meant. */
const HARMLESS: ReadonlySet<YAMLError['code']> = new Set<YAMLError['code']>(['TAG_RESOLVE_FAILED']);

export interface ComposedDocument {
  readonly root: Node;
  /** What each alias stands for. */
  readonly targets: ReadonlyMap<Alias, Node>;
}

/**
 * The documents that say something, in their order; an empty one between two `---` says nothing. None when the text is so
 * broken that its values would mislead, or empty; the report says why. Fills `lines`.
 */
export function composeDocuments(
  text: string,
  lines: LineCounter,
  report: Report,
): readonly ComposedDocument[] {
  const documents = compose(text, lines, report);
  if (documents === null) return [];
  const filled = documents.filter((document) => !isEmpty(document));
  if (filled.length === 0) report.add({ path: [], rule: 'file', message: 'is empty: it has no settings' });
  const composed: ComposedDocument[] = [];
  for (const document of filled) {
    const targets = bindAliases(document, lines, report);
    if (targets !== null) composed.push({ root: document.contents as Node, targets });
  }
  return composed;
}

export function toPosition(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** Null when the text cannot be taken for anything. */
function compose(text: string, lines: LineCounter, report: Report): Document.Parsed[] | null {
  const tokens = parse(text, lines, report);
  if (tokens === null) return null;
  const composer = new Composer({
    version: '1.2',
    merge: true,
    stringKeys: true,
    strict: true,
    prettyErrors: false,
    // Duplicate keys are found while the values are read; the library's own way takes quadratic time.
    uniqueKeys: false,
    resolveKnownTags: false,
    logLevel: 'silent',
  });
  const documents = [...composer.compose(tokens, true, text.length)] as Document.Parsed[];
  let isUsable = true;
  for (const problem of documents.flatMap((document) => [...document.errors, ...document.warnings])) {
    report.add({
      path: [],
      rule: 'yaml',
      message: `is not valid YAML: ${toPlainMessage(problem.message)}`,
      position: toPosition(lines, problem.pos[0]),
    });
    isUsable &&= HARMLESS.has(problem.code);
  }
  return isUsable ? documents : null;
}

/** Without what the library quotes: a password that someone forgot to quote can look like a tag or an escape. */
function toPlainMessage(message: string): string {
  return message.replace(/: .*/s, '').replace(/(escape sequence) .*/s, '$1');
}

/** The library composes by recursion, so the depth is checked before it starts. */
function parse(text: string, lines: LineCounter, report: Report) {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens = [];
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length <= DEPTH_MAX) continue;
    const position = toPosition(lines, parser.offset);
    report.add({ path: [], rule: 'yaml', message: `is nested deeper than ${DEPTH_MAX} levels`, position });
    return null;
  }
  for (const token of parser.end()) tokens.push(token);
  return tokens;
}

/** An alias means the last anchor of its name before it. */
function bindAliases(
  document: Document.Parsed,
  lines: LineCounter,
  report: Report,
): ReadonlyMap<Alias, Node> | null {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  let isWhole = true;
  visit(document, {
    Node: (_, node) => {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.set(node.anchor, node as Node);
        return;
      }
      const target = anchors.get(node.source);
      if (target !== undefined) {
        targets.set(node, target);
        return;
      }
      isWhole = false;
      const position = toPosition(lines, node.range?.[0] ?? 0);
      const message = 'is not valid YAML: no anchor of this name stands before the alias';
      report.add({ path: [], rule: 'yaml', message, position });
    },
  });
  return isWhole ? targets : null;
}

function isEmpty(document: Document.Parsed): boolean {
  const contents = document.contents as Node | null;
  return contents === null || (isScalar(contents) && (contents.value === null || contents.value === ''));
}
