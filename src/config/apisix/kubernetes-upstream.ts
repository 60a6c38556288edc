// What a route's backends come to: several of them, each with a weight and nodes of its own → one upstream.
//
// Owns the arithmetic of weights. One upstream has one scheme and one set of settings, so backends that differ in those
// cannot share a route.

import type { Path } from '../problem.ts';
import type { Tree } from '../source.ts';
import { findCommonDivisor, findCommonMultiple } from '../weight.ts';
import type { Cluster, Manifest } from './kubernetes-object.ts';

export interface Node {
  readonly host: string;
  readonly port: number;
  readonly weight: number;
}

export interface NodeGroup {
  /** Of the whole group, beside those of the others. */
  readonly weight: number;
  readonly nodes: readonly Node[];
  /** Everything of the upstream but its nodes. */
  readonly settings: Tree;
  /** Where the route's object names it. */
  readonly path: Path;
}

/** Noted at the groups' own places; null when they cannot be one upstream, which is reported. */
export function toUpstream(
  groups: readonly NodeGroup[],
  from: Manifest,
  path: Path,
  cluster: Cluster,
): Tree | null {
  const [first] = groups;
  for (const group of groups) {
    const key = findDifference(first!.settings, group.settings);
    if (key === null) continue;
    const message = `differs in ${key} from the first backend of its route, and a route has one upstream here`;
    cluster.refuse(from, group.path, message);
    return null;
  }
  const factors = toFactors(groups);
  const nodes = groups.flatMap((group, index) =>
    group.nodes.map(({ host, port, weight }) =>
      cluster.note({ host, port, weight: weight * factors[index]! }, from, group.path),
    ),
  );
  if (!nodes.every(({ weight }) => Number.isSafeInteger(weight))) {
    const message = 'has weights whose shares cannot be kept: their common multiple is too large';
    cluster.refuse(from, path, message);
    return null;
  }
  const divisor = findCommonDivisor(nodes.map(({ weight }) => weight));
  for (const node of nodes) if (divisor > 1) node.weight /= divisor;
  return cluster.note({ ...first?.settings, nodes: cluster.note(nodes, from, path) }, from, path);
}

/** By what the weights within each group are multiplied, so that the groups' own weights hold between them; NaN if too large. */
function toFactors(groups: readonly NodeGroup[]): readonly number[] {
  const sums = groups.map(({ nodes }) => nodes.reduce((sum, node) => sum + node.weight, 0));
  const multiple = findCommonMultiple(sums.filter((sum) => sum > 0)) ?? Number.NaN;
  return groups.map(({ weight }, index) => (sums[index] === 0 ? 0 : weight * (multiple / sums[index]!)));
}

function findDifference(a: Tree, b: Tree): string | null {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys.find((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key])) ?? null;
}
