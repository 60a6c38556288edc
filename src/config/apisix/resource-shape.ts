// A resource against its schema, wherever in the files its parts were written.
//
// Owns how places in a resource become places in files.

import assert from 'node:assert/strict';
import type { Path } from '../problem.ts';
import type { Finding } from '../report.ts';
import { fitShape } from '../shape.ts';
import type { Scalar, Tree } from '../source.ts';
import { RESOURCE_SHAPES } from './check.ts';
import { visitTexts } from './document-shape.ts';
import type { Place, Places, Resource } from './resource.ts';

/** Reports every misfit, and returns the resource without them. */
export function fitResource(resource: Resource, places: Places): Resource {
  const { kind, value } = resource;
  const expanded: Scalar[] = [];
  const unresolved: Path[] = [];
  visitTexts(value, [], (path) => {
    const place = findPlace(value, path, places);
    const scalar = place.report.findExpanded(place.path);
    if (scalar !== null) expanded.push({ ...scalar, path });
    if (place.report.isUnresolved(place.path)) unresolved.push(path);
  });
  const place = findPlace(value, [], places);
  const rest = fitShape(
    RESOURCE_SHAPES[kind],
    value,
    { expanded, unresolved },
    {
      add: (finding: Finding) => {
        const at = findPlace(value, finding.path, places);
        at.report.add({ ...finding, path: at.path });
      },
    },
  ) as Tree;
  if (rest !== value) places.note(rest, place);
  return { ...resource, value: rest };
}

/** Whoever makes an object notes where it comes from. */
export function findPlace(root: Tree, path: Path, places: Places): Place {
  const place = places.find(root, path);
  assert.ok(place !== null, 'the place of every resource is noted');
  return place;
}
