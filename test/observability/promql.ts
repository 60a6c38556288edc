// Judges a PromQL expression against what a gateway shows: every name, every label, every value, every type.
//
// Prometheus answers an expression with a misspelt label by silence, so such an alert would never fire and such a panel
// would stay empty. Knows the part of the language that the files under config/observability use; the rest is a problem too.

import { parser } from '@prometheus-io/lezer-promql';
import type { Exposition, Series } from './exposition.ts';

type Tree = ReturnType<typeof parser.parse>;
type Node = Tree['topNode'];

export interface Judged {
  /** One line each; empty when all is well. */
  readonly problems: readonly string[];
  /** Labels of the result; null for a number. */
  readonly labels: ReadonlySet<string> | null;
}

/** Added by Prometheus to all that it scrapes. */
const TARGET_LABELS = ['instance', 'job'];
/** Prometheus's own, about a scrape. */
const OF_PROMETHEUS: Record<string, Series> = { up: { type: 'gauge', samples: [{}] } };
const OF_COUNTERS = ['rate', 'irate', 'increase', 'resets'];
const OF_GAUGES = /^(delta|deriv|idelta|predict_linear|changes|\w+_over_time)$/;
const SET_OPERATORS = ['And', 'Or', 'Unless'];
const PLAIN_TEXT = /^[\w:./-]*$/;

export function judgeExpression(text: string, exposition: Exposition): Judged {
  const parsed = toParsed(text);
  const tree = parser.parse(parsed);
  const at = findError(tree);
  if (at !== null) return { problems: [`not PromQL from ${at} on: ${parsed}`], labels: new Set() };
  const judge = new Judge(parsed, exposition);
  const labels = judge.read(tree.topNode);
  return { problems: judge.problems, labels };
}

/** The parser goes on after an error and marks it. */
function findError(tree: Tree): number | null {
  let at: number | null = null;
  tree.iterate({
    enter: ({ type, from }) => {
      if (type.isError) at ??= from;
    },
  });
  return at;
}

/** Every series that an expression, or a query of a variable, names. */
export function findNames(text: string): string[] {
  const parsed = toParsed(text);
  const names: string[] = [];
  parser.parse(parsed).iterate({
    enter: (node) => {
      if (node.name === 'Identifier') names.push(parsed.slice(node.from, node.to));
    },
  });
  return names;
}

/** Grafana puts durations there before Prometheus sees it. */
function toParsed(text: string): string {
  return text.replaceAll(/\$__(rate_interval|interval|range)\b/g, '5m');
}

class Judge {
  readonly text: string;
  readonly problems: string[] = [];
  readonly #exposition: Exposition;

  constructor(text: string, exposition: Exposition) {
    this.text = text;
    this.#exposition = exposition;
  }

  /** Labels of what the node stands for; null for a number. */
  read(node: Node): Set<string> | null {
    switch (node.name) {
      case 'PromQL':
      case 'ParenExpr':
      case 'OffsetExpr':
      case 'UnaryExpr':
        return this.#readOnly(node);
      case 'NumberDurationLiteral':
        return null;
      case 'VectorSelector':
        return this.#readSelector(node, null);
      case 'FunctionCall':
        return this.#readCall(node);
      case 'AggregateExpr':
        return this.#readAggregate(node);
      case 'BinaryExpr':
        return this.#readBinary(node);
      default:
        return this.#refuse(`not understood: ${node.name} in ${this.#textOf(node)}`);
    }
  }

  #refuse(problem: string): Set<string> {
    this.problems.push(problem);
    return new Set();
  }

  /** The one expression within; operators and durations stand beside it. */
  #readOnly(node: Node): Set<string> | null {
    const inner = childrenOf(node).filter(isExpression);
    if (inner.length !== 1) return this.#refuse(`not understood: ${this.#textOf(node)}`);
    return this.read(inner[0]!);
  }

  /** `caller` is the function that a range of it is given to; null without one. */
  #readSelector(node: Node, caller: string | null): Set<string> {
    const name = this.#textOf(node.getChild('Identifier'));
    const series = this.#exposition.get(name) ?? OF_PROMETHEUS[name];
    if (series === undefined) return this.#refuse(`no such metric: ${name}`);
    const isCounted = caller !== null && OF_COUNTERS.includes(caller);
    if (series.type === 'counter' && !isCounted) this.#refuse(`${name} is a counter: ${caller ?? 'bare'}`);
    if (series.type === 'gauge' && isCounted) this.#refuse(`${name} is a gauge: ${caller}`);
    const labels = new Set(series.samples.flatMap(Object.keys));
    for (const matcher of node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []) {
      this.#checkMatcher(name, series, matcher);
    }
    return new Set([...labels, ...TARGET_LABELS]);
  }

  #checkMatcher(name: string, { samples }: Series, matcher: Node): void {
    const label = this.#textOf(matcher.getChild('LabelName'));
    if (TARGET_LABELS.includes(label)) return;
    const known = new Set(samples.map((labels) => labels[label]));
    if (known.has(undefined)) {
      this.#refuse(`${name} has no label ${label}`);
      return;
    }
    const value = this.#textOf(matcher.getChild('StringLiteral')).slice(1, -1);
    if (value.startsWith('$')) return;
    const isPattern = this.#textOf(matcher.getChild('MatchOp')).endsWith('~');
    for (const part of isPattern ? value.split('|') : [value]) {
      if (!PLAIN_TEXT.test(part)) this.#refuse(`${name}: a pattern that is no list of values: ${value}`);
      else if (!known.has(part)) this.#refuse(`${name} has no ${label}="${part}": ${[...known].join(', ')}`);
    }
  }

  #readCall(node: Node): Set<string> | null {
    const caller = this.#textOf(node.getChild('FunctionIdentifier'));
    const [inner, ...others] = childrenOf(node.getChild('FunctionCallBody')!).filter(isExpression);
    if (inner === undefined || others.length > 0)
      return this.#refuse(`not understood: ${this.#textOf(node)}`);
    const needsRange = OF_COUNTERS.includes(caller) || OF_GAUGES.test(caller);
    if (needsRange !== (inner.name === 'MatrixSelector')) {
      return this.#refuse(`${caller} ${needsRange ? 'needs' : 'takes no'} range: ${this.#textOf(node)}`);
    }
    if (!needsRange) return this.read(inner);
    return this.#readSelector(inner.getChild('VectorSelector')!, caller);
  }

  #readAggregate(node: Node): Set<string> {
    const [inner, ...others] = childrenOf(node.getChild('FunctionCallBody')!).filter(isExpression);
    const labels = inner === undefined || others.length > 0 ? null : this.read(inner);
    if (labels === null) return this.#refuse(`not understood: ${this.#textOf(node)}`);
    const modifier = node.getChild('AggregateModifier');
    if (modifier === null) return new Set();
    const listed = this.#readGrouping(modifier.getChild('GroupingLabels')!, labels);
    return modifier.getChild('By') === null ? without(labels, listed) : listed;
  }

  #readGrouping(node: Node, labels: ReadonlySet<string>): Set<string> {
    const listed = node.getChildren('LabelName').map((label) => this.#textOf(label));
    for (const label of listed) {
      if (!labels.has(label)) this.#refuse(`no label ${label} to group by: ${toList(labels)}`);
    }
    return new Set(listed);
  }

  #readBinary(node: Node): Set<string> | null {
    const [left, right] = childrenOf(node).filter(isExpression);
    if (left === undefined || right === undefined)
      return this.#refuse(`not understood: ${this.#textOf(node)}`);
    const [leftLabels, rightLabels] = [this.read(left), this.read(right)];
    if (leftLabels === null || rightLabels === null) return leftLabels ?? rightLabels;
    const modifier = node.getChild('MatchingModifierClause');
    const listed = modifier?.getChild('GroupingLabels') ?? null;
    const both = new Set([...leftLabels, ...rightLabels]);
    const names = listed === null ? new Set<string>() : this.#readGrouping(listed, both);
    const isOn = modifier?.getChild('On') != null;
    const pick = (labels: Set<string>): Set<string> =>
      isOn ? without(labels, without(labels, names)) : without(labels, names);
    const [ofLeft, ofRight] = [pick(leftLabels), pick(rightLabels)];
    if (without(ofLeft, ofRight).size + without(ofRight, ofLeft).size > 0) {
      this.#refuse(`sides never meet: ${toList(ofLeft)} and ${toList(ofRight)}`);
    }
    return SET_OPERATORS.some((operator) => node.getChild(operator) !== null) ? leftLabels : ofLeft;
  }

  #textOf(node: Node | null): string {
    return node === null ? '' : this.text.slice(node.from, node.to);
  }
}

function without(labels: ReadonlySet<string>, others: ReadonlySet<string>): Set<string> {
  return new Set([...labels].filter((label) => !others.has(label)));
}

/** In one order, whatever that of the samples is. */
function toList(labels: ReadonlySet<string>): string {
  return [...labels].sort().join(', ');
}

function childrenOf(node: Node): Node[] {
  const children: Node[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) children.push(child);
  return children;
}

function isExpression({ name }: Node): boolean {
  return /(Expr|Selector|Call|^NumberDurationLiteral|^StringLiteral)$/.test(name);
}
