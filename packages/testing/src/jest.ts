import { matchers } from './matchers.js';

/** Jest gives each test file its `expect`, as a global. */
const { expect } = globalThis as unknown as { readonly expect?: { extend(added: typeof matchers): void } };
expect?.extend(matchers);
export { type CountersignMatchers, matchers } from './matchers.js';
