import { hintFor } from '../hints/index.js';
import { show } from '../text.js';
import type { Report, Row } from './report.js';

/** Whether it is RFC 9457 problem details. */
export function looksLikeProblem(json: Readonly<Record<string, unknown>>): boolean {
  if (hintFor(json['code']) !== undefined) return true;
  return ('title' in json || 'type' in json) && ('status' in json || 'code' in json);
}

/** Explains a refusal sent by an API. */
export function explainProblem(json: Readonly<Record<string, unknown>>): Report {
  const hint = hintFor(json['code']);
  const next: Row = [
    'hint',
    hint ?? 'This is not a refusal code of Countersign: the answer comes from something else.',
  ];
  return {
    title: hint === undefined ? 'Problem details (RFC 9457)' : `Refusal: ${show(json['code'])}`,
    sections: [
      { heading: 'as sent', rows: Object.entries(json).map(([name, value]): Row => [show(name), show(value)]) },
      { heading: 'what it means, and what to do', rows: [next] },
    ],
    warnings: [],
  };
}
