import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors/config-error.js';
import { checkOptionNames } from '../../src/options/option-names.js';

describe('checkOptionNames', () => {
  it('lets known names pass', () => {
    expect(() => checkOptionNames('f', { origin: 1 }, ['origin', 'agents'])).not.toThrow();
  });

  it('refuses a misspelt name with a hint [G5]', () => {
    expect(() => checkOptionNames('f', { orgin: 1 }, ['origin', 'agents'])).toThrow(
      new ConfigError("f: unknown option 'orgin'. Did you mean 'origin'?"),
    );
    expect(() => checkOptionNames('f', { maxAge: 1 }, ['origin', 'maxAgeSeconds'])).toThrow(
      /Known options|Did you mean/,
    );
  });

  it.each([null, undefined, 'origin', 5, []])('refuses %j in place of options [G5]', (options) => {
    expect(() => checkOptionNames('f', options as unknown as object, ['origin'])).toThrow(
      new ConfigError('f: the options must be an object.'),
    );
  });

  it('lists the known names where nothing is near', () => {
    expect(() => checkOptionNames('f', { zzzzzz: 1 }, ['origin'])).toThrow(
      "unknown option 'zzzzzz'. Known options: origin.",
    );
  });

  it.each(['requires', 'agentsOnly', 'revocations', 'replay', 'uses', 'redact', 'audience', 'status', 'witnesses'])(
    'refuses %s if it is there and undefined, and says what to do [G5]',
    (name) => {
      expect(() => checkOptionNames('f', { [name]: undefined }, [name])).toThrow(
        new ConfigError(
          `f: '${name}' is undefined. Leave the member out, or give it a value: is the name of its constant right?`,
        ),
      );
      expect(() => checkOptionNames('f', {}, [name])).not.toThrow();
      expect(() => checkOptionNames('f', { [name]: null }, [name])).not.toThrow();
    },
  );

  it.each(['clock', 'onTrouble', 'logger', 'maxAgeSeconds', 'issuers', 'dpop'])('lets an undefined %s pass', (name) => {
    expect(() => checkOptionNames('f', { [name]: undefined }, [name])).not.toThrow();
  });
});
