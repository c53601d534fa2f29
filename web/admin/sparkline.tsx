/** A small chart of one number's last values, in the colours of the text around it. */

const WIDTH = 160;
const HEIGHT = 36;
/** Of the line itself. */
const EDGE = 2;

export interface SparklineProps {
  readonly title: string;
  /** Of the newest value, with its unit. */
  readonly now: string;
  /** Oldest first. */
  readonly values: readonly number[];
}

export function Sparkline({ title, now, values }: SparklineProps) {
  const most = Math.max(...values, 0);
  const points = values.map((value, at) => {
    const x = values.length < 2 ? WIDTH : (at * WIDTH) / (values.length - 1);
    const y = HEIGHT - EDGE - (most === 0 ? 0 : (value / most) * (HEIGHT - 2 * EDGE));
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <figure class="sparkline">
      <figcaption>
        <span class="quiet">{title}</span> <b>{now}</b>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: ${now}`}
      >
        <polyline points={points.join(" ")} />
      </svg>
    </figure>
  );
}
