/** A rectangle in pixels, y downwards. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A mark that wants a label: its centre and half its size, and the size of the label, all in pixels. */
export interface LabelledMark {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly width: number;
  readonly height: number;
}

/** Where a label stands beside its mark: −1, 0 or 1 to the left or right, and above (−1) or below (1), so many of its radii away. */
export interface LabelSide {
  readonly across: -1 | 0 | 1;
  readonly down: -1 | 0 | 1;
  readonly reach: number;
}

const DIRECTIONS: readonly Omit<LabelSide, "reach">[] = [
  { across: 1, down: 0 },
  { across: -1, down: 0 },
  { across: 0, down: -1 },
  { across: 0, down: 1 },
  { across: 1, down: -1 },
  { across: 1, down: 1 },
  { across: -1, down: -1 },
  { across: -1, down: 1 },
];

/** The sides so many radii away. */
const sidesAt = (reach: number): LabelSide[] => DIRECTIONS.map((way) => ({ ...way, reach }));

/** What labels must not cover, and what they may where they would otherwise stand far from their marks. */
export interface Obstacles {
  readonly hard: readonly Rectangle[];
  readonly soft: readonly Rectangle[];
}

/**
 * A side for each mark's label: the first that lies inside and covers no obstacle nor a label before it; then one close by that
 * covers soft obstacles, then one farther away, else the right.
 */
export function placeLabels(marks: readonly LabelledMark[], { hard, soft }: Obstacles, inside: Rectangle): LabelSide[] {
  const labels: Rectangle[] = [];
  return marks.map((mark) => {
    const isFree = (side: LabelSide, obstacles: readonly Rectangle[]): boolean => {
      const label = labelBox(mark, side);
      return contains(inside, label) && ![...obstacles, ...labels].some((other) => overlap(other, label));
    };
    const near = sidesAt(1);
    const far = [...sidesAt(2.2), ...sidesAt(3.4)];
    const clear = (side: LabelSide): boolean => isFree(side, [...hard, ...soft]);
    const chosen = near.find(clear) ?? near.find((side) => isFree(side, hard)) ?? far.find(clear) ?? near[0]!;
    labels.push(labelBox(mark, chosen));
    return chosen;
  });
}

/** The values moved apart as little as needed for a gap of `gap` between neighbours, none above `most`, in the given order of items. */
export function spread(values: readonly number[], gap: number, most: number = Number.POSITIVE_INFINITY): number[] {
  const order = values.map((_, index) => index).sort((a, b) => values[a]! - values[b]!);
  const moved = [...values];
  // Each pass moves every crowded pair apart by what it lacks; a few passes settle the handful of marks of a figure.
  for (let pass = 0; pass < 200; pass++) {
    const top = order.at(-1);
    if (top !== undefined) moved[top] = Math.min(moved[top]!, most);
    for (let k = 1; k < order.length; k++) {
      const [low, high] = [order[k - 1]!, order[k]!];
      const missing = gap - (moved[high]! - moved[low]!);
      if (missing > 0) {
        moved[low] = moved[low]! - missing / 2;
        moved[high] = moved[high]! + missing / 2;
      }
    }
  }
  return moved;
}

function labelBox({ x, y, radius, width, height }: LabelledMark, { across, down, reach }: LabelSide): Rectangle {
  return {
    x: x + across * reach * radius + ((across - 1) * width) / 2,
    y: y + down * reach * radius + ((down - 1) * height) / 2,
    width,
    height,
  };
}

function contains(outer: Rectangle, inner: Rectangle): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}

function overlap(a: Rectangle, b: Rectangle): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
