import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Catalogue } from '../../src/decide/catalogue.js';
import { readRules } from '../../src/decide/rules.js';

const readOnly = { readOnlyHint: true };

describe('The groups of a tool', () => {
  it.each([
    ['what the server lists', {}, readOnly, 'read'],
    ['its rule, whatever the server lists', { annotations: {} }, readOnly, 'destructive'],
    ['its rule, before the server has listed it', { annotations: readOnly }, undefined, 'read'],
    ['nothing', {}, undefined, 'destructive'],
  ])('come from %s', (_what, rule, listed, group) => {
    const catalogue = new Catalogue(readRules('test', { tools: { wipe: rule } }));
    if (listed !== undefined) catalogue.learn('tools/list', [{ name: 'wipe', annotations: listed }]);
    const parents = [{ type: 'ToolGroup', id: group }];
    // Complete: the guard asks no `entities` about it.
    expect(catalogue.toolResource('wipe')).toEqual({ type: 'Tool', id: 'wipe', attributes: {}, parents });
  });

  it('only become more dangerous by what the server lists later [E14]', () => {
    const catalogue = new Catalogue(readRules('test', {}));
    const groupAfter = (annotations?: object) => {
      catalogue.learn('tools/list', [{ name: 'wipe', annotations }]);
      return catalogue.toolResource('wipe').parents?.map(({ id }) => id);
    };
    expect(groupAfter(readOnly)).toEqual(['read']);
    expect(groupAfter({ destructiveHint: false })).toEqual(['write']);
    expect(groupAfter(readOnly)).toEqual(['write']);
    expect(groupAfter()).toEqual(['destructive']);
    expect(groupAfter(readOnly)).toEqual(['destructive']);
  });

  it('are refused if the annotations of a rule are none', () => {
    expect(() => readRules('test', { tools: { wipe: { annotations: 'read' as never } } })).toThrow("'annotations'");
  });
});

const called = { list: 'tools/list', isDeclared: false, hasFields: false, isListedOnce: false } as const;

/** A catalogue of a server that answers each question for its list with a page, or not at all. */
function catalogueOf(pages: readonly (readonly string[] | undefined)[]) {
  const known = new Catalogue(readRules('test', {}));
  const asked: string[] = [];
  const offers = (name: string, asker = 'alice') =>
    known.offers({ ...called, name }, asker, async (method) => {
      asked.push(method);
      return pages[asked.length - 1]?.map((one) => ({ name: one }));
    });
  return { known, asked, offers };
}

it('A list that was under way when the server said that its tools changed counts as old [E14]', async () => {
  const catalogue = new Catalogue(readRules('test', {}));
  const answers: ((items: readonly object[]) => void)[] = [];
  const offers = async () =>
    await catalogue.offers(
      { ...called, name: 'sync' },
      'alice',
      async () => await new Promise((answer) => answers.push(answer)),
    );
  const groups = () => catalogue.toolResource('sync').parents?.map(({ id }) => id);
  const first = offers();
  catalogue.expire();
  answers[0]?.([{ name: 'sync', annotations: readOnly }]);
  expect(await first).toBe('offered');
  expect(groups()).toEqual(['read']);
  const second = offers();
  expect(answers).toHaveLength(2);
  answers[1]?.([{ name: 'sync', annotations: { destructiveHint: true } }]);
  await second;
  expect(groups()).toEqual(['destructive']);
});

describe('A name that is not known', () => {
  it('is asked for once, and must be the very same [E4]', async () => {
    const { asked, offers } = catalogueOf([['delete']]);
    expect(await offers('delete')).toBe('offered');
    for (const name of [
      'Delete',
      'DELETE',
      'ｄｅｌｅｔｅ',
      'delete\0',
      ' delete',
      'dele\u0301te',
      '__proto__',
      'toString',
    ]) {
      expect(await offers(name), name).toBe('unknown');
    }
    expect(asked).toEqual(['tools/list']);
  });

  it('is asked for once when several wait for it', async () => {
    const { asked, offers } = catalogueOf([['a', 'b']]);
    expect(await Promise.all(['a', 'b', 'c'].map((name) => offers(name)))).toEqual(['offered', 'offered', 'unknown']);
    expect(asked).toHaveLength(1);
  });

  it('is unavailable while the server does not answer, and asked for again', async () => {
    const { asked, offers } = catalogueOf([undefined, ['a']]);
    expect(await offers('a')).toBe('unavailable');
    expect(await offers('a')).toBe('offered');
    expect(asked).toHaveLength(2);
  });

  it('is unavailable if the server does not answer in time', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const known = new Catalogue(readRules('test', {}));
    const offer = known.offers({ ...called, name: 'a' }, 'alice', () => new Promise(() => {}));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await offer).toBe('unavailable');
  });

  it('is asked for once more for another caller, whose session may be another one', async () => {
    const { asked, offers } = catalogueOf([undefined, ['a'], ['a', 'b']]);
    expect(await Promise.all([offers('a', 'mallory'), offers('a', 'alice')])).toEqual(['unavailable', 'offered']);
    expect(await offers('b', 'bob')).toBe('offered');
    expect(asked).toHaveLength(3);
  });

  it('is known as soon as a list holds it', async () => {
    const { known, asked, offers } = catalogueOf([[]]);
    expect(await offers('a')).toBe('unknown');
    known.learn('tools/list', [{ name: 'a' }, null, { name: 5 }]);
    expect(await offers('a')).toBe('offered');
    expect(asked).toHaveLength(1);
  });
});

const listed = (region: string) => [
  { name: 'q', inputSchema: { properties: { [region]: { 'x-mcp-header': 'Region' } } } },
];

/** A server whose tool `sync` becomes destructive. */
function changing(isListedOnce = false) {
  const known = new Catalogue(readRules('test', {}));
  let annotations: object = { readOnlyHint: true };
  const offers = () =>
    known.offers({ ...called, name: 'sync', isListedOnce }, 'alice', async () => [{ name: 'sync', annotations }]);
  const change = () => void (annotations = { destructiveHint: true });
  return { known, offers, change, groups: () => known.toolResource('sync').parents?.map(({ id }) => id) };
}

describe('A tool that the server lists otherwise by now', () => {
  it.each([false, true])('is asked about again after a minute, declared: %s [E14]', async (isDeclared) => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { known, offers, change, groups } = changing(isDeclared);
    known.learn('tools/list', [{ name: 'sync', annotations: { readOnlyHint: true } }]);
    expect(await offers()).toBe('offered');
    change();
    expect(groups()).toEqual(['read']);
    vi.advanceTimersByTime(61_000);
    expect(await offers()).toBe('offered');
    expect(groups()).toEqual(['destructive']);
  });

  it('is asked about again once the server says that its tools changed [E14]', async () => {
    const { known, offers, change, groups } = changing();
    await offers();
    change();
    known.expire();
    expect(await offers()).toBe('offered');
    expect(groups()).toEqual(['destructive']);
  });

  it('is known as the newer of two lists says, whichever answer is later [E14]', async () => {
    const known = new Catalogue(readRules('test', {}));
    known.learn('tools/list', listed('new'), 2);
    known.learn('tools/list', listed('old'), 1);
    expect([...(known.fieldsOf('q') ?? [])]).toEqual([['mcp-param-region', ['new']]]);
  });
});

describe('The fields that repeat arguments', () => {
  it('are read from the schema of the tool, along properties only', () => {
    const known = new Catalogue(readRules('test', {}));
    const inputSchema = {
      properties: {
        region: { type: 'string', 'x-mcp-header': 'Region' },
        where: { properties: { city: { type: 'string', 'x-mcp-header': 'City' } } },
        list: { items: { 'x-mcp-header': 'Item' } },
      },
    };
    known.learn('tools/list', [{ name: 'q', inputSchema }]);
    known.learn('tools/list', [{ name: 'q', annotations: {} }]);
    expect([...(known.fieldsOf('q') ?? [])]).toEqual([
      ['mcp-param-region', ['region']],
      ['mcp-param-city', ['where', 'city']],
    ]);
    expect(known.fieldsOf('other')).toBeUndefined();
  });
});
