/** `env=prod,tier in (web,api),!legacy`: the label selectors of the v3 API, which are those of Kubernetes. */
import type { LabelRequirement } from '../../../service/state/list.ts';
import { CfError } from './cf-errors.ts';

const KEY = String.raw`[\w.\-/]{1,316}`;
const VALUE = String.raw`[\w.\-]{0,63}`;
const LIST = String.raw`\(\s*${VALUE}(?:\s*,\s*${VALUE})*\s*\)`;
const REQUIREMENT = new RegExp(
  String.raw`^\s*(?:(!)?\s*(${KEY})|(${KEY})\s*(==|=|!=)\s*(${VALUE})|(${KEY})\s+(in|notin)\s*(${LIST}))\s*$`,
);

/** @throws CfError BadQueryParameter for what is not a selector. */
export function parseLabelSelector(text: string): readonly LabelRequirement[] {
  return splitOutsideParentheses(text).map((part) => {
    const match = REQUIREMENT.exec(part);
    if (match === null) {
      throw new CfError('BadQueryParameter', 'The query parameter is invalid: Invalid label_selector value');
    }
    const [, not, bare, key = '', sign, value = '', setKey = '', word, list = ''] = match;
    if (bare !== undefined) return { kind: not === undefined ? 'exists' : 'absent', key: bare };
    if (sign !== undefined) return { kind: sign === '!=' ? 'notin' : 'in', key, values: [value] };
    return { kind: word === 'in' ? 'in' : 'notin', key: setKey, values: valuesIn(list) };
  });
}

function valuesIn(list: string): readonly string[] {
  return list
    .slice(1, -1)
    .split(',')
    .map((value) => value.trim());
}

function splitOutsideParentheses(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, text.slice(start)];
}
