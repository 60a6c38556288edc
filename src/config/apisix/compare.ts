// The plugin umbra-compare → comparison of the model.
//
// Owns what a plugin cannot say of umbra's own keys: nothing in it names a file of the gateway's machine. Like all of the
// translation it reports and goes on.

import type { Shadow } from '../../core/model.ts';
import type { Finding } from '../report.ts';
import type { Loose } from '../shape.ts';
import { type Comparison, toComparison as toOwnComparison } from '../umbra/compare.ts';
import { IDLE_META } from './mirror.ts';
import type { UmbraCompareInput } from './plugin-schema.ts';
import type { Remarks, Subject } from './remark.ts';

type Input = Loose<UmbraCompareInput>;

/** For what proxy-mirror beside it mirrors to. */
export function toComparison(
  input: Input,
  shadows: readonly Shadow[],
  about: Subject,
  remarks: Remarks,
): Comparison {
  for (const key of ['filter', ...IDLE_META] as const) {
    if (!Object.hasOwn(input._meta ?? {}, key)) continue;
    remarks.addNotice(about, ['_meta', key], 'has no effect: what is mirrored is compared');
  }
  const { disable, _meta, ...own } = input;
  const isDisabled = _meta?.disable ?? disable ?? false;
  const enabled = (own.enabled ?? true) && !isDisabled;
  const report = {
    add: ({ path, rule, message, found }: Finding) => remarks.addProblem(about, path, rule, message, found),
    hasProblemUnder: () => false,
  };
  const served = { ...own, enabled, ...toServedControl(own.control, about, remarks) };
  return toOwnComparison(served, shadows, [], { report, folder: '' });
}

/** Without what is refused. */
function toServedControl(
  control: Input['control'],
  about: Subject,
  remarks: Remarks,
): Pick<Input, 'control'> {
  // Lua's empty table may be written as a list, which the schema's words take for a mapping without anything in it.
  if (Array.isArray(control)) remarks.addProblem(about, ['control', 'url'], 'required', 'is missing');
  if (control?.tls?.ca === undefined) return {};
  const message = 'is not served in a plugin: it names a file, so write the route in a file of umbra';
  remarks.addProblem(about, ['control', 'tls', 'ca'], 'not_served', message);
  const { ca, ...tls } = control.tls;
  return { control: { ...control, tls } };
}
