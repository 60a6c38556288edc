// One document of a file against a schema, wherever in the file it stands.
//
// Owns how places in the document become places in the file.

import type { ValidateFunction } from 'ajv';
import type { Path } from '../problem.ts';
import { fitShape } from '../shape.ts';
import type { Scalar } from '../source.ts';
import type { DocumentTree } from './resource.ts';

/** Reports every misfit, takes it out of the document, and returns the rest. */
export function fitDocument(shape: ValidateFunction, document: DocumentTree): unknown {
  const { tree, report, path } = document;
  const expanded: Scalar[] = [];
  const unresolved: Path[] = [];
  visitTexts(tree, [], (at) => {
    const scalar = report.findExpanded([...path, ...at]);
    if (scalar !== null) expanded.push({ ...scalar, path: at });
    if (report.isUnresolved([...path, ...at])) unresolved.push(at);
  });
  return fitShape(
    shape,
    tree,
    { expanded, unresolved },
    { add: (finding) => report.add({ ...finding, path: [...path, ...finding.path] }) },
  );
}

/** Every text in the value, however deep. */
export function visitTexts(value: unknown, path: Path, visit: (path: Path) => void): void {
  if (typeof value === 'string') visit(path);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    visitTexts(item, [...path, Array.isArray(value) ? Number(key) : key], visit);
  }
}
