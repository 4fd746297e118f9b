import { expect, it } from 'vitest';
import { freshCedar } from '../../../src/cedar/instance/instance.js';
import { headFromJson, readHead } from '../../../src/cedar/text/policy-head.js';
import { scopesInJson, scopesInText } from '../../../src/cedar/text/scope-vocabulary.js';

const cedar = freshCedar();

const HEADS = [
  'permit(principal, action, resource)',
  '@id("a") @approval @note("x y") forbid ( principal , action , resource )',
  '// one\n@id("é") // two\npermit(principal == N::Agent::"a", // three\n action == Action::"x", resource == R::"")',
  'permit(principal in Role::"a::b", action in Action::"g", resource in Org::"o")',
  'permit(principal is Agent, action in [], resource is N::Repo in N::Org::"o")',
  'permit(principal is A::B in C::"c", action in [Action::"x", N::Action::"y"], resource is R)',
  '@id("q\\"uote") permit(principal == Agent::"\\u{61}", action, resource)',
];
const CLAUSES = [
  '',
  ' when { context.scope.contains("repo:read") } unless { ["a", "b:c"].contains(context.proof) }',
  ' when { resource["not"] == "yes" && context has "no" && principal == User::"no" && "p*" like "no*" }',
  ' when { {"key": "value", k: ["in:list"]}["key"] == (if true then "then" else "else") } // "comment"\n',
  ' when { ip("10.0.0.1").isIpv4() && [["deep"]].contains(["deeper"]) && context.scope.containsAny(["x"]) }',
  ' when { "\\u{61}" == "b" }',
];

it.each(HEADS)("readHead and scopesInText return the facts of Cedar's JSON: %s", (head) => {
  for (const clauses of CLAUSES) {
    const text = `${head}${clauses};`;
    const answer = cedar.policyToJson(text);
    if (answer.type === 'failure') throw new Error(`${text}: ${JSON.stringify(answer.errors)}`);
    const ours = readHead(text);
    // Unsupported forms are left to Cedar.
    expect(ours === undefined).toBe(head.includes('\\'));
    if (ours === undefined) continue;
    expect(ours.head).toEqual(headFromJson(answer.json));
    const scopes = scopesInText(ours.body);
    expect(scopes === undefined).toBe(clauses.includes('\\'));
    if (scopes !== undefined) expect(scopes.toSorted()).toEqual(scopesInJson(answer.json).toSorted());
  }
});
