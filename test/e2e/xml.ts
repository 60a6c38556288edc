// A strict reader of the XML that tests look at: elements, attributes, and text where an element holds nothing else.
//
// Throws for whatever is not well-formed (XML 1.0), so that a report which a lenient reader would accept is found out.

import assert from 'node:assert/strict';

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Empty beside other elements. */
  readonly text: string;
}

interface OpenElement extends XmlElement {
  readonly children: OpenElement[];
  text: string;
}

const DECLARATION = /^<\?xml version="1\.0" encoding="UTF-8"\?>\s*/;
const NAME = '[A-Za-z_][A-Za-z0-9_.-]*';
const TAG = new RegExp(`<(/?)(${NAME})((?:\\s+${NAME}="[^"<]*")*)\\s*(/?)>`, 'y');
const TEXT = /[^<]*/y;
const ATTRIBUTE = new RegExp(`(${NAME})="([^"<]*)"`, 'g');
/** What XML 1.0 has no place for (section 2.2). */
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The root element. */
export function parseXml(text: string): XmlElement {
  assert.ok(text.isWellFormed() && !FORBIDDEN.test(text), 'a character that XML has no place for');
  const declaration = DECLARATION.exec(text);
  assert.ok(declaration !== null, 'no XML declaration');
  const top: OpenElement[] = [];
  const open: OpenElement[] = [{ name: '', attributes: {}, children: top, text: '' }];
  for (let at = declaration[0].length; at < text.length; ) {
    TAG.lastIndex = at;
    const tag = TAG.exec(text);
    assert.ok(tag !== null, `no tag at ${at}: ${text.slice(at, at + 80)}`);
    TEXT.lastIndex = TAG.lastIndex;
    const following = TEXT.exec(text)![0];
    at = TAG.lastIndex + following.length;
    const [, isEnd, name = '', attributes = '', isEmpty] = tag;
    const parent = open.at(-1)!;
    if (isEnd === '/') {
      assert.equal(name, parent.name, 'an end tag of another element');
      assert.equal(attributes + isEmpty, '', 'attributes in an end tag');
      open.pop();
      assert.equal(following.trim(), '', 'text behind an element');
      continue;
    }
    const element: OpenElement = { name, attributes: toAttributes(attributes), children: [], text: '' };
    parent.children.push(element);
    if (isEmpty !== '/') {
      open.push(element);
      const isText = text.startsWith('</', at);
      if (isText) element.text = toText(following);
      else assert.equal(following.trim(), '', 'text before an element');
    } else assert.equal(following.trim(), '', 'text behind an element');
  }
  assert.equal(open.length, 1, 'an element without its end');
  assert.equal(top.length, 1, 'not one root element');
  return top[0]!;
}

function toAttributes(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(ATTRIBUTE)) {
    assert.ok(!(name in attributes), `attribute ${name} twice`);
    attributes[name] = toText(value);
  }
  return attributes;
}

function toText(value: string): string {
  return value.replace(/&([^;&]*);?/g, (reference, name: string) => {
    assert.ok(reference.endsWith(';'), `an ampersand by itself: ${reference}`);
    const code = /^#([0-9]+)$/.exec(name)?.[1];
    const character = code === undefined ? ENTITIES[name] : String.fromCodePoint(Number(code));
    assert.ok(character !== undefined, `unknown entity ${reference}`);
    return character;
  });
}
