/** Where each node of a dependency map lies: what nothing depends on is furthest right, what it depends on is left of it. */

export interface Dependent { id: string; depends_on: readonly string[] }

export interface PlacedNode { id: string; layer: number; row: number }
/** From what depends to what it depends on. */
export interface PlacedEdge { from: string; to: string }
export interface Layers { nodes: PlacedNode[]; edges: PlacedEdge[]; layers: number; rows: number }

/**
 * Layers by the longest way to something that depends on nothing; within a layer, near what it depends on. Names that are
 * no node are left out. A cycle is cut where it closes, so that every node has a place.
 */
export function layersOf(subsystems: readonly Dependent[]): Layers {
  const byId = new Map(subsystems.map((one) => [one.id, one]));
  const edges = subsystems.flatMap(({ id, depends_on }) => [...new Set(depends_on)].filter((to) => byId.has(to) && to !== id).map((to) => ({ from: id, to })));
  const layerOf = new Map<string, number>();
  const open = new Set<string>();

  function place(id: string): number {
    const known = layerOf.get(id);
    if (known !== undefined) return known;
    open.add(id);
    const below = edges.filter(({ from, to }) => from === id && !open.has(to)).map(({ to }) => place(to) + 1);
    open.delete(id);
    const layer = Math.max(0, ...below);
    layerOf.set(id, layer);
    return layer;
  }
  for (const { id } of subsystems) place(id);

  const rowOf = new Map<string, number>();
  const linked = new Set(edges.flatMap(({ from, to }) => [from, to]));
  const layers = Math.max(0, ...[...layerOf.values()].map((layer) => layer + 1));
  for (let layer = 0; layer < layers; layer += 1) {
    const here = subsystems.filter(({ id }) => layerOf.get(id) === layer).map(({ id }) => ({ id, near: nearness(id, edges, rowOf), alone: !linked.has(id) }));
    // What nothing links to stands below the rest, out of the way of the lines.
    here.sort((a, b) => Number(a.alone) - Number(b.alone) || a.near - b.near || (a.id < b.id ? -1 : 1));
    for (const [row, { id }] of here.entries()) rowOf.set(id, row);
  }
  const nodes = subsystems.map(({ id }) => ({ id, layer: layerOf.get(id)!, row: rowOf.get(id)! }));
  return { nodes, edges, layers, rows: Math.max(0, ...nodes.map(({ row }) => row + 1)) };
}

/** Mean row of what it depends on and what is placed already. */
function nearness(id: string, edges: readonly PlacedEdge[], rowOf: ReadonlyMap<string, number>): number {
  const rows = edges.filter(({ from }) => from === id).flatMap(({ to }) => rowOf.get(to) ?? []);
  return rows.length === 0 ? 0 : rows.reduce((sum, row) => sum + row, 0) / rows.length;
}
