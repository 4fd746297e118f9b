import { describe, expect, it } from 'vitest';
import { readRules } from '../../src/decide/rules.js';
import { ToolGroups } from '../../src/decide/tool-groups.js';

const readOnly = { readOnlyHint: true };

describe('The groups of a tool', () => {
  it.each([
    ['what the server lists', {}, readOnly, 'read'],
    ['its rule, whatever the server lists', { annotations: {} }, readOnly, 'destructive'],
    ['its rule, before the server has listed it', { annotations: readOnly }, undefined, 'read'],
    ['nothing', {}, undefined, 'destructive'],
  ])('come from %s', (_what, rule, listed, group) => {
    const groups = new ToolGroups(readRules('test', { tools: { wipe: rule } }));
    if (listed !== undefined) groups.learn([{ name: 'wipe', annotations: listed }]);
    expect(groups.toolResource('wipe').parents).toEqual([{ type: 'ToolGroup', id: group }]);
  });

  it('are refused if the annotations of a rule are none', () => {
    expect(() => readRules('test', { tools: { wipe: { annotations: 'read' as never } } })).toThrow("'annotations'");
  });
});
