/** The demo's scripted agent: it knows one mistake, and mends it on its second attempt, once it was told what failed. */
import { readFileSync, writeFileSync } from 'node:fs';

const brief = readFileSync(process.env.MISSION_BRIEF, 'utf8');
const source = readFileSync('shop.js', 'utf8');
const toldWhatFailed = brief.includes('## What was tried before');
console.log(toldWhatFailed ? 'multiplying by the quantity' : 'adding the quantity (a wrong idea)');
writeFileSync('shop.js', source.replace('sum + item.price', toldWhatFailed ? 'sum + item.price * item.quantity' : 'sum + item.price + item.quantity'));
