import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { html, jsonForScript } from '../../src/report/html.js';

const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...Array.from('<>&"\'/!-scriptSCRIPT=`\u2028\u202e')) }),
);

it('no text becomes markup, or ends an attribute [F1]', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const { markup } = html`<p title="${text}">${text}</p>`;
      const [, attribute = '', content = ''] = /^<p title="([^"]*)">([^<]*)<\/p>$/.exec(markup) ?? [];
      expect(attribute).toBe(content);
      expect(`${attribute}${content}`).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/);
      expect(text === '' || attribute !== '').toBe(true);
    }),
  );
});

it('nested pieces of HTML are not escaped again', () => {
  expect(html`<ul>${[html`<li>${'<'}</li>`, html`<li>${7}${undefined}</li>`]}</ul>`.markup).toBe(
    '<ul><li>&lt;</li><li>7</li></ul>',
  );
});

it('data for a script contains no bracket, and parses back to its input [F1]', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const json = jsonForScript({ text });
      expect(json).not.toMatch(/[<>&\u2028\u2029]/);
      // Printable text is unchanged; other characters come back escaped.
      if (!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(text)) expect(JSON.parse(json)).toEqual({ text });
    }),
  );
});
