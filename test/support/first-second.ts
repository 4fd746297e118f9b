import { firstSecondIsOver } from '../hosts/first-second.js';

await firstSecondIsOver();
