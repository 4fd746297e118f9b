import { expect } from 'vitest';
import { matchers } from './matchers.js';

expect.extend(matchers);
export { type CountersignMatchers, matchers } from './matchers.js';
