import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CoveredComponents, serializeCovered } from '../src/component.js';
import { parseSignatureInput, type SignatureInput } from '../src/signature-fields.js';
import { readSignatureInput } from '../src/signature-input.js';
import { serializeParameters } from '../src/structured-fields/serialize.js';

const text = fc.oneof(
  fc.stringMatching(/^[ !#-[\]-~]{0,12}$/),
  fc.constantFrom('\\"', '\\\\', '\\', '"', ')', 'é', '\u0122', '\n', ''),
);
const component = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('"@method"', '"@authority"', '"@path"', '"content-digest"') },
  { weight: 1, arbitrary: text.map((name) => `"${name}"`) },
  { weight: 1, arbitrary: fc.constantFrom('"a";sf', '"a";key=")"', 'token', '1', '?1', '("a")', '') },
);
const list = fc
  .tuple(fc.constantFrom('sig', 'b1', '*', 'Sig', '', ' sig', 'a=1, sig'), fc.array(component, { maxLength: 5 }))
  .map(([label, components]) => `${label}=(${components.join(' ')})`);
const name = fc.constantFrom('created', 'expires', 'nonce', 'keyid', 'tag', 'alg', 'x', 'Created', '');
const value = fc.oneof(
  { weight: 3, arbitrary: fc.nat().map(String) },
  { weight: 3, arbitrary: text.map((inner) => `"${inner}"`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('007', '-1', '1.5', '9'.repeat(15), '9'.repeat(16), '', 'token', '?1', '@1'),
  },
);
const parameter = fc.tuple(fc.constantFrom(';', ';', ';', '; ', ' ;', ''), name, fc.constantFrom('=', '=', ''), value);
const field = fc
  .tuple(list, fc.array(parameter, { maxLength: 6 }), fc.constantFrom('', '', '', ' ', ',', ', b=()', '(', '\t'))
  .map(([start, parameters, end]) => start + parameters.flat().join('') + end);

function coveredOf(input: string): CoveredComponents | undefined {
  const read = readSignatureInput(input);
  return read.ok ? read.inputs.get('sig')?.covered : undefined;
}

/** What was read, without the serialised form, which must be that of the serialiser. */
function readAndCheck(value: string): ReturnType<typeof readSignatureInput> {
  const read = readSignatureInput(value);
  if (!read.ok) return read;
  const inputs = new Map<string, SignatureInput>();
  for (const [label, { covered, parameters, serialized }] of read.inputs) {
    if (serialized !== undefined) expect(serialized).toBe(serializeCovered(covered) + serializeParameters(parameters));
    inputs.set(label, { covered, parameters });
  }
  return { ok: true, inputs };
}

describe('readSignatureInput', () => {
  it('never disagrees with the parser, whether or not it knows the list', () => {
    let accepted = 0;
    fc.assert(
      fc.property(field, (input) => {
        const parsed = parseSignatureInput(input);
        expect(readAndCheck(input)).toEqual(parsed);
        expect(readAndCheck(input)).toEqual(parsed);
        accepted += Number(parsed.ok);
      }),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('never disagrees with the parser when one character of a known value changes', () => {
    const known = 'sig=("@method" "@path");created=1618884473;nonce="n-1";keyid="k";tag="t"';
    expect(readAndCheck(known)).toEqual(parseSignatureInput(known));
    const changes = fc.record({
      at: fc.nat({ max: known.length }),
      removed: fc.nat({ max: 2 }),
      inserted: fc.oneof(fc.constantFrom(')', '(', ';', '"', '\\', ',', ' ', '=', ''), fc.string({ maxLength: 2 })),
    });
    fc.assert(
      fc.property(changes, ({ at, removed, inserted }) => {
        const changed = known.slice(0, at) + inserted + known.slice(at + removed);
        expect(readAndCheck(changed)).toEqual(parseSignatureInput(changed));
      }),
      { numRuns: 5000 },
    );
  });

  it('keeps a list in use while strangers make up others [A16]', () => {
    const used = 'sig=("@method" "x-in-use");created=1';
    const covered = coveredOf(used);
    for (let count = 0; count < 600; count += 1) {
      coveredOf(`sig=("x-made-up-${count}");created=1`);
      if (count % 200 === 0) coveredOf(used);
    }
    expect(coveredOf(used)).toBe(covered);
  });

  it('shares no parameters that could be changed', () => {
    const read = readSignatureInput('sig=("@method");created=1');
    const parameters = read.ok ? read.inputs.get('sig')?.covered[0]?.parameters : undefined;
    expect(parameters).toEqual(new Map());
    expect(() => (parameters as Map<string, unknown>).set('req', true)).toThrow(TypeError);
    expect(readAndCheck('sig=("@path");created=1')).toEqual(parseSignatureInput('sig=("@path");created=1'));
  });

  it('stays right when more lists come than it remembers, and when they are long', () => {
    const inputs = Array.from({ length: 600 }, (_, index) => `sig=("x-${index}");created=1`);
    const long = `sig=("${'a'.repeat(1100)}");created=1`;
    for (const input of [...inputs, long, ...inputs]) expect(readAndCheck(input)).toEqual(parseSignatureInput(input));
  });

  it('knows the serialised form of a plain value', () => {
    const value = '("@method" "@path");created=0;keyid="k"';
    const read = readSignatureInput(`sig=${value}`);
    expect(read.ok && read.inputs.get('sig')?.serialized).toBe(value);
    const spaced = readSignatureInput('sig=( "@method"  "@path");created=0');
    expect(spaced.ok && spaced.inputs.get('sig')?.serialized).toBe(undefined);
  });

  it('shares lists that nobody can change', () => {
    const read = readSignatureInput('sig=("@method" "@path");created=1');
    const covered = read.ok ? read.inputs.get('sig')?.covered : undefined;
    expect([covered, ...(covered ?? [])].every(Object.isFrozen)).toBe(true);
    expect(covered).toHaveLength(2);
  });
});
