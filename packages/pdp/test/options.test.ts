import { ConfigError } from '@countersign/common';
import { expect, it } from 'vitest';
import { type PdpOptions, readPdpOptions } from '../src/options.js';

it.each<[string, unknown, RegExp]>([
  ['no url', { url: undefined }, /'url' must be the address/],
  ['a file', { url: 'file:///etc/passwd' }, /'url' must be the address/],
  ['credentials in it', { url: 'https://me:secret@pdp.internal' }, /take the credentials out/],
  ['a query', { url: 'https://pdp.internal/?x=1' }, /no query/],
  ['plain http', { url: 'http://pdp.internal:8181' }, /plain http\. Use https, or set dangerouslyAllowHttp/],
  ['plain http to a name like loopback', { url: 'http://127.0.0.1.evil.example' }, /plain http/],
  ['plain http to all addresses', { url: 'http://0.0.0.0:8181' }, /plain http/],
  ['a scheme in the token', { token: 'Bearer abc' }, /without 'Bearer'/],
  ['a line break in the token', { token: 'abc\r\nx: y' }, /must be a bearer token/],
  ['an empty token', { token: '' }, /must be a bearer token/],
  ['no time', { timeoutSeconds: 0 }, /'timeoutSeconds' must be a number from 0\.05 to 60/],
  ['no limit of time', { timeoutSeconds: Infinity }, /'timeoutSeconds'/],
  ['time as text', { timeoutSeconds: '2' }, /'timeoutSeconds'/],
  ['no limit of bytes', { maxAnswerBytes: Infinity }, /'maxAnswerBytes' must be a whole number/],
  ['half a failure', { failuresBeforeOpen: 1.5 }, /'failuresBeforeOpen' must be a whole number/],
  ['open for ever', { openSeconds: Infinity }, /'openSeconds'/],
  ['an empty scope', { scopeVocabulary: [''] }, /'scopeVocabulary' must be a list/],
  ['a clock that is none', { clock: 0 }, /'clock' must be a function/],
])('%s stops the start [G5]', (_title, change, message) => {
  const options = { url: 'https://pdp.internal', ...(change as Partial<PdpOptions>) } as PdpOptions;
  expect(() => readPdpOptions('opaServer', options)).toThrow(ConfigError);
  expect(() => readPdpOptions('opaServer', options)).toThrow(message);
});

it.each(['https://pdp.internal', 'http://localhost:8181', 'http://127.0.0.1:1', 'http://[::1]:8181/opa'])(
  '%s is taken, with a slash at its end',
  (url) => {
    expect(readPdpOptions('opaServer', { url }).base.href).toMatch(/\/$/);
  },
);

it('plain http can be asked for', () => {
  const { base } = readPdpOptions('opaServer', { url: 'http://pdp:8181', dangerouslyAllowHttp: true });
  expect(base.href).toBe('http://pdp:8181/');
});
