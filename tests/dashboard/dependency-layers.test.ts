import { expect, test } from 'vitest';
import { layersOf } from '../../src/dashboard/pages/subsystems/layers.ts';

const layers = (parts: Record<string, string[]>) => {
  const { nodes, ...rest } = layersOf(Object.entries(parts).map(([id, depends_on]) => ({ id, depends_on })));
  return { ...rest, nodes: Object.fromEntries(nodes.map(({ id, layer, row }) => [id, [layer, row]])) };
};

test('what depends on something lies after it, however long the way', () => {
  const { nodes, layers: depth } = layers({ till: ['shop', 'postgres'], shop: ['mesh'], mesh: ['postgres'], postgres: [] });
  expect(nodes).toEqual({ postgres: [0, 0], mesh: [1, 0], shop: [2, 0], till: [3, 0] });
  expect(depth).toBe(4);
});

test('no two lie in the same place, and what nothing links to lies below the rest', () => {
  const { nodes } = layers({ agents: [], postgres: [], api: ['postgres'], worker: ['postgres', 'temporal'], temporal: [] });
  expect(new Set(Object.values(nodes).map(String)).size).toBe(5);
  expect(nodes['agents']).toEqual([0, 2]);
});

test('a cycle has a place for each, and keeps every line', () => {
  const { nodes, edges, layers: depth } = layers({ a: ['b'], b: ['c'], c: ['a'] });
  expect(Object.keys(nodes)).toEqual(['a', 'b', 'c']);
  expect(depth).toBe(3);
  expect(edges).toHaveLength(3);
});

test('a name that is no subsystem, itself, and the same twice draw nothing more', () => {
  expect(layers({ a: ['gone', 'a', 'b', 'b'], b: [] }).edges).toEqual([{ from: 'a', to: 'b' }]);
  expect(layers({})).toEqual({ nodes: {}, edges: [], layers: 0, rows: 0 });
});
