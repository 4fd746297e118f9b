import { type ComponentIdentifier, covers, parseSignatureInput } from '@countersign/signature';
import { moment, printable, show } from '../text.js';
import { guardDefaults, profileTag, requiredParameters, targetComponents } from '@countersign/common';
import type { Report, Row, Section } from './report.js';

type SignatureInputs = Extract<ReturnType<typeof parseSignatureInput>, { ok: true }>['inputs'];
type SignatureInput = SignatureInputs extends ReadonlyMap<string, infer Input> ? Input : never;

const { maxAgeSeconds, clockSkewSeconds } = guardDefaults;

export function looksLikeSignatureInput(text: string): boolean {
  return /^[a-z*][a-z0-9_.*-]*\s*=\s*\(/.test(text);
}

/** Explains the value of Signature-Input; returns a string that says why if it does not parse. */
export function explainSignatureInput(value: string, now: number): Report | string {
  const parsed = parseSignatureInput(value);
  if (!parsed.ok) return `this looks like Signature-Input, but it is ${parsed.code}: ${printable(parsed.detail)}`;
  const inputs = [...parsed.inputs];
  return {
    title: inputs.length === 1 ? 'Signature-Input: one signature' : `Signature-Input: ${inputs.length} signatures`,
    caution: 'Only what it claims to cover; no signature was verified.',
    sections: inputs.flatMap(([label, input]) => sectionsOf(label, input, now)),
    ok: inputs.every(([, { parameters }]) => timeWarnings(parameters, now).length === 0),
    warnings: [
      ...inputs.flatMap(([label, input]) => warningsOf(input, now).map((text) => `${label}: ${text}`)),
      ...selectionWarnings(parsed.inputs),
    ],
  };
}

function sectionsOf(label: string, { covered, parameters }: SignatureInput, now: number): Section[] {
  return [
    {
      heading: `${label} covers`,
      rows: covered.map((component): Row => [printable(component.identifier), meaningOf(component)]),
    },
    { heading: `${label} does not cover`, rows: optionalComponents.filter(([name]) => !covers(covered, name)) },
    {
      heading: `${label} parameters`,
      rows: [...parameters].map(([name, { value }]): Row => {
        if (name === 'created' || name === 'expires') return [name, moment(value, now)];
        const shown = value instanceof Uint8Array ? `${value.length} bytes` : show(value);
        const meaning = parameterMeanings[name];
        return meaning === undefined ? [name, shown] : [name, shown, `(${meaning})`];
      }),
    },
  ];
}

const optionalComponents: readonly Row[] = [
  ['content-digest', 'so no body may come with it'],
  ['authorization', 'so no token may come with it'],
];

const parameterMeanings: Readonly<Record<string, string>> = {
  keyid: 'which key: by the countersign profile its JWK thumbprint',
  nonce: 'makes each signature count once',
  tag: 'which profile it follows',
  alg: 'must agree with the key',
};

const derivedMeanings: Readonly<Record<string, string>> = {
  '@method': 'the method: a GET cannot be turned into a DELETE',
  '@target-uri': 'the whole URL: scheme, host, path and query',
  '@authority': 'the host (and port): it cannot be sent to another API',
  '@scheme': 'http or https',
  '@request-target': 'the target exactly as on the request line',
  '@path': 'the path, as sent, not decoded',
  '@query': 'the whole query with its question mark',
  '@query-param': 'one parameter of the query; others can be added',
  '@status': 'the status of a response',
};

const fieldMeanings: Readonly<Record<string, string>> = {
  'content-digest': 'the hash of the body, and so the body',
  'content-type': 'how the body is to be read',
  'content-encoding': 'how the body is to be inflated',
  'content-length': 'the length of the body',
  authorization: 'the access token: it cannot be swapped',
  'agent-delegation': 'the delegation links',
  'agent-approval': "a person's approval",
  'mcp-method': 'the MCP method that gateways route by',
  'mcp-name': 'the MCP tool that gateways route by',
  'mcp-session-id': 'the MCP session',
  'mcp-protocol-version': 'the version of MCP',
  'last-event-id': 'where an MCP stream goes on',
};

const modifierMeanings: Readonly<Record<string, string>> = {
  sf: 'in its canonical structured form',
  key: 'one member of the field only',
  bs: 'as bytes',
  tr: 'from the trailers',
  req: 'of the request that is answered',
  name: 'of this name',
};

function meaningOf({ name, parameters }: ComponentIdentifier): string {
  const derived = Object.hasOwn(derivedMeanings, name) ? derivedMeanings[name] : undefined;
  const field = Object.hasOwn(fieldMeanings, name) ? fieldMeanings[name] : undefined;
  const whole = name.startsWith('@') ? (derived ?? 'unknown: a verifier refuses it') : (field ?? 'this header field');
  const modifiers = [...parameters.keys()].map((key) => modifierMeanings[key] ?? `unknown parameter ${printable(key)}`);
  return [whole, ...modifiers].join('; ');
}

/** The violations of the countersign profile that a guard would refuse. */
function warningsOf({ covered, parameters }: SignatureInput, now: number): string[] {
  const has = (...components: string[]): boolean => components.every((component) => covers(covered, component));
  const warnings: string[] = [];
  if (!has('@method')) warnings.push('@method is not covered: the request can be replayed with another method.');
  if (!has('@target-uri') && !has(...targetComponents)) {
    const missing = targetComponents.filter((component) => !has(component));
    warnings.push(`${missing.join(', ')} not covered: the request can be replayed to another target.`);
  }
  for (const name of requiredParameters) {
    if (!parameters.has(name)) warnings.push(`${name} is missing; a guard requires it.`);
  }
  return [...warnings, ...timeWarnings(parameters, now), ...profileWarnings(parameters)];
}

function timeWarnings(parameters: SignatureInput['parameters'], now: number): string[] {
  const [created, expires] = [parameters.get('created'), parameters.get('expires')];
  const warnings: string[] = [];
  for (const [name, item] of Object.entries({ created, expires })) {
    if (item !== undefined && item.type !== 'integer') warnings.push(`${name} is not an integer.`);
  }
  if (created?.type === 'integer' && created.value > now + clockSkewSeconds) warnings.push('created is in the future.');
  if (expires?.type === 'integer' && expires.value <= now) warnings.push('It has expired.');
  else if (created?.type === 'integer' && now - created.value > maxAgeSeconds) {
    warnings.push(`It is older than ${maxAgeSeconds} seconds, the most that a guard accepts by default.`);
  }
  return warnings;
}

function profileWarnings(parameters: SignatureInput['parameters']): string[] {
  const tag = parameters.get('tag');
  const nonce = parameters.get('nonce');
  const warnings: string[] = [];
  if (tag !== undefined && tag.value !== profileTag) warnings.push('Its tag is of another profile than "countersign".');
  if (nonce?.type === 'string' && nonce.value.length < 16) warnings.push('The nonce is short; use 128 random bits.');
  return warnings;
}

function selectionWarnings(inputs: SignatureInputs): string[] {
  const ours = [...inputs.values()].filter(({ parameters }) => parameters.get('tag')?.value === profileTag);
  return ours.length > 1 ? ['More than one signature has the tag "countersign": a guard refuses the request.'] : [];
}
