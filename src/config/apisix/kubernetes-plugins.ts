// The plugins of Kubernetes objects → the plugins of a route.
//
// Owns what is switched off, and what comes from Secrets, which umbra does not read.

import type { Path } from '../problem.ts';
import type { Loose } from '../shape.ts';
import type { Tree } from '../source.ts';
import type { Cluster, Manifest } from './kubernetes-object.ts';
import type { PluginConfigSpec } from './kubernetes-schema.ts';

/** Adds those that `from` lists at `path` of its spec; of two with one name the later wins. */
export function addPlugins(
  plugins: Tree,
  list: Loose<PluginConfigSpec['plugins']>,
  from: Manifest,
  path: Path,
  cluster: Cluster,
): void {
  for (const [index, plugin] of list.entries()) {
    if (plugin?.name === undefined || plugin.enable === false) continue;
    const at = [...path, index];
    if (plugin.secretRef !== undefined && plugin.secretRef !== '') {
      const message = 'is not served: umbra does not read Secrets, write what it holds into config';
      cluster.refuse(from, [...at, 'secretRef'], message, plugin.secretRef);
    }
    plugins[plugin.name] = plugin.config ?? cluster.note({}, from, at);
  }
}
