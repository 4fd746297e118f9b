import { afterAll } from 'vitest';
import { cleanUp } from './after-file.js';

// Setup files, unlike other modules, are evaluated for each test file.
afterAll(cleanUp);
