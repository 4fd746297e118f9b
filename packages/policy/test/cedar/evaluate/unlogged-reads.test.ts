import { expect, it } from 'vitest';
import { cedarFromText } from '../../../src/index.js';
import { unloggedReaders } from '../../../src/cedar/evaluate/unlogged-reads.js';

async function readersOf(policies: string): Promise<{ resource: boolean; details: boolean }> {
  const { ofResource, ofDetails } = unloggedReaders((await cedarFromText({ policies })).policies);
  return { resource: ofResource.length > 0, details: ofDetails.length > 0 };
}

const when = (condition: string): string => `permit(principal, action, resource) when { ${condition} };`;

it.each([
  'permit(principal, action, resource in Folder::"f");',
  'permit(principal, action, resource // published\n in Folder::"f");',
  'permit(principal, action, resource is Doc in Folder::"f");',
  when('resource // may be secret\n has secret'),
  when('resource has "secret"'),
  when('resource["secret"]'),
  when('resource is Doc in Folder::"f"'),
  when('{r: resource}.r has secret'),
  when('(if principal has owner then principal else resource) has secret'),
  when('resource.hasTag("secret")'),
  when('principal in resource.readers'),
  when('Doc::"1" has secret'),
  when('context.onBehalfOf.inbox.secret'),
  when('context has onBehalfOf.inbox.secret'),
])('unloggedReaders finds a read of the resource in %s', async (policy) => {
  expect(await readersOf(policy)).toEqual({ resource: true, details: false });
});

it.each([
  'permit(principal in Role::"r", action in [Action::"a"], resource == Doc::"1");',
  'permit(principal, action, resource is Doc);',
  when('resource == Doc::"in" && resource is Doc'),
  when('[resource].contains(Doc::"1") && [resource].containsAny([Doc::"1"])'),
  when('principal in Role::"r" && principal in resource && principal has owner && principal.owner like "a*"'),
  when('context.request.path like "resource.*" && context.scope.contains("resource in a")'),
  when('context has onBehalfOf.manager && context.onBehalfOf in Group::"g" && context.onBehalfOf.manager == resource'),
  when('true // resource.secret, context.authorizationDetails\n'),
])('unloggedReaders finds no read of the resource in %s', async (policy) => {
  expect(await readersOf(policy)).toEqual({ resource: false, details: false });
});

it.each(['context has authorizationDetails', 'context // its\n has authorizationDetails.privileges'])(
  'unloggedReaders finds a read of authorization details in %s',
  async (condition) => {
    expect(await readersOf(`forbid(principal, action, resource) when { ${condition} };`)).toEqual({
      resource: false,
      details: true,
    });
  },
);
