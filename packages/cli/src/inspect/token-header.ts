import { show } from '../text.js';

/** Why a guard refuses an access token with this header. */
export function headerProblems(header: Readonly<Record<string, unknown>>): string[] {
  const { alg, typ } = header;
  const problems: string[] = [];
  if (typeof alg !== 'string' || /^none$/i.test(alg)) problems.push('It is not signed at all: alg is none.');
  else if (/^HS/i.test(alg))
    problems.push(`${show(alg)} uses a shared secret; a guard accepts public-key algorithms only.`);
  if (typeof typ !== 'string' || !/^(?:application\/)?at\+jwt$/i.test(typ)) {
    problems.push('typ is not at+jwt: a guard does not take it for an access token (RFC 9068).');
  }
  const smuggled = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'zip', 'b64'].filter((name) => name in header);
  if (smuggled.length > 0) problems.push(`The header has ${smuggled.join(', ')}: a guard refuses that.`);
  return problems;
}
