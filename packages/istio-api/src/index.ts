export * from './object.ts';
