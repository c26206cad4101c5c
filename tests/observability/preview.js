// Draws a dashboard from its own JSON and from what Prometheus answered. A preview: Grafana looks alike, not the same.
const LINES = ["#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#f2495c", "#b877d9", "#8ab8ff", "#ffa6b0", "#96d98d", "#c4a7f5"]
const NAMED = { green: "#73bf69", orange: "#ff9830", red: "#f2495c", blue: "#6e9fff" }
const CELL = 1416 / 24, ROW = 30, GAP = 8, LEGEND_ROWS = 4

const element = (parent, tag, name = "", text = "") => {
  const made = document.createElement(tag)
  made.className = name
  made.textContent = text
  return parent.appendChild(made)
}

function words(value, unit, decimals) {
  if (value === null || value === undefined || Number.isNaN(value)) return "-"
  const short = (number) => Number(number.toFixed(decimals ?? (Math.abs(number) < 10 ? 2 : 1))).toLocaleString("en-GB")
  const scaled = (steps) => {
    const [size, name] = steps.find(([size]) => Math.abs(value) >= size) ?? steps.at(-1)
    return Number((value / size).toPrecision(3)) + " " + name
  }
  if (unit === "s") return value === 0 ? "0 s" : scaled([[86400, "d"], [3600, "h"], [60, "min"], [1, "s"], [0.001, "ms"]])
  if (unit === "bytes") return scaled([[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]])
  if (unit === "percentunit") return Number((value * 100).toFixed(decimals ?? 1)) + " %"
  return short(value) + (unit === "ops" ? " /s" : "")
}

function colour(panel, value) {
  const steps = panel.fieldConfig.defaults.thresholds?.steps ?? []
  return NAMED[steps.filter((step) => step.value == null || value >= step.value).at(-1)?.color] ?? LINES[0]
}

const last = (values) => values.filter((value) => value !== null).at(-1) ?? null
const most = (values) => values.reduce((a, b) => (a === null || (b !== null && b > a) ? b : a), null)

function stat(body, panel, lines) {
  const { unit, decimals } = panel.fieldConfig.defaults
  const figures = element(body, "div", "figures")
  for (const line of lines) {
    const value = last(line.values)
    const shown = element(figures, "div", "", words(value, unit, decimals))
    shown.style.color = colour(panel, value)
    if (lines.length > 1 || line.name) element(shown, "small", "", line.name)
  }
  const top = Math.max(...lines.flatMap((line) => line.values.map((value) => value ?? 0)), 1e-9)
  const points = lines[0].values.map((value, place, all) => `${(100 * place) / (all.length - 1)},${30 - (28 * (value ?? 0)) / top}`)
  if (points.length > 1) {
    const style = `fill="${colour(panel, last(lines[0].values))}"`
    body.insertAdjacentHTML("beforeend", `<svg class="spark" viewBox="0 0 100 30" preserveAspectRatio="none" width="100%">
      <polygon ${style} points="0,30 ${points.join(" ")} 100,30"/></svg>`)
  }
}

function timeseries(body, panel, lines, times) {
  const { unit, decimals, custom = {}, max, thresholds } = panel.fieldConfig.defaults
  const stacked = custom.stacking?.mode === "normal"
  const shown = [...lines].sort((a, b) => (most(b.values) ?? 0) - (most(a.values) ?? 0))
  const legendRows = Math.min(shown.length, LEGEND_ROWS)
  const sums = times.map(() => 0)
  const drawn = shown.map((line) => (stacked ? line.values.map((value, place) => (sums[place] += value ?? 0)) : line.values))
  const order = stacked ? shown.map((_, place) => shown.length - 1 - place) : shown.map((_, place) => place)
  const height = body.clientHeight - 14.5 * (legendRows + 1)
  const steps = custom.thresholdsStyle ? (thresholds?.steps ?? []).filter((step) => step.value != null) : []
  const dashes = (plot) => {
    for (const step of steps) {
      if (step.value > plot.scales.y.max) continue
      const { ctx, bbox } = plot, y = plot.valToPos(step.value, "y", true)
      ctx.save()
      ctx.strokeStyle = NAMED[step.color]
      ctx.setLineDash([6, 6])
      ctx.beginPath()
      ctx.moveTo(bbox.left, y)
      ctx.lineTo(bbox.left + bbox.width, y)
      ctx.stroke()
      ctx.restore()
    }
  }
  const axis = { stroke: "#9fa1ab", grid: { stroke: "#22252b", width: 1 }, ticks: { show: false }, font: "11px DejaVu Sans" }
  const top = max ?? (Math.max(...drawn.flat().map((value) => value || 0)) * 1.08 || 1)
  const incrs = unit === "bytes" ? [1, 10, 25, 50, 100, 250, 500, 1000].flatMap((size) => [size, size * 2 ** 20]).sort((a, b) => a - b)
    : unit === "s" ? [0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 172800] : null
  new uPlot({
    width: body.clientWidth, height, legend: { show: false }, cursor: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
    scales: { y: { range: [0, top] } },
    axes: [{ ...axis, values: "{HH}:{mm}:{ss}", space: 90, size: 24 },
      { ...axis, size: 62, space: 34, ...(incrs && { incrs }), values: (_, ticks) => ticks.map((tick) => words(tick, unit)) }],
    series: [{}, ...order.map((place) => ({ stroke: LINES[place % LINES.length], width: 1.3, points: { show: false },
      fill: LINES[place % LINES.length] + (stacked ? "50" : "14"), spanGaps: false }))],
    hooks: { draw: [dashes] },
  }, [times, ...order.map((place) => drawn[place])], body)
  const legend = element(body, "table", "legend")
  legend.innerHTML = "<tr><th></th><th class=number>last</th><th class=number>most</th></tr>"
  shown.slice(0, LEGEND_ROWS).forEach((line, place) => {
    const row = element(legend, "tr"), name = element(row, "td", "", line.name || "value")
    name.insertAdjacentHTML("afterbegin", `<i style="background:${LINES[place % LINES.length]}"></i>`)
    if (place === LEGEND_ROWS - 1 && shown.length > LEGEND_ROWS) name.append(`, and ${shown.length - LEGEND_ROWS} more`)
    element(row, "td", "number", words(line.values.at(-1), unit, decimals))
    element(row, "td", "number", words(most(line.values), unit, decimals))
  })
}

function bargauge(body, panel, lines) {
  const { unit, max, decimals } = panel.fieldConfig.defaults
  const top = max ?? Math.max(...lines.map((line) => last(line.values) ?? 0), 1e-9)
  for (const line of lines) {
    const value = last(line.values), row = element(body, "div", "bar")
    element(row, "span", "", line.name || "none")
    const bar = element(element(row, "em"), "u")
    bar.style.width = `${Math.min(100, (100 * value) / top)}%`
    bar.style.background = colour(panel, value)
    element(row, "span", "number", words(value, unit, decimals)).style.color = colour(panel, value)
  }
}

function table(body, panel, lines) {
  const { excludeByName: hidden, indexByName: order, renameByName: named } = panel.transformations[0].options
  const columns = Object.keys(order).filter((column) => !hidden[column]).sort((a, b) => order[a] - order[b]), made = element(body, "table")
  const head = element(made, "tr")
  for (const column of columns) element(head, "th", column === "Value" ? "number" : "", named[column] ?? column)
  for (const line of lines.slice(0, 10)) {
    const row = element(made, "tr")
    for (const column of columns) {
      const value = column === "Value" ? words(last(line.values), panel.fieldConfig.defaults.unit) : line.labels[column]
      element(row, "td", column === "Value" ? "number" : "", value ?? "")
    }
  }
}

const KINDS = { stat, timeseries, bargauge, table }

/** `answers`: for each panel its lines, as {name, labels, values}; `times`: those of the values, in Unix seconds. */
function draw({ dashboard, answers, times, said }) {
  const page = element(document.body, "div")
  page.id = "page"
  const header = element(page, "header")
  element(header, "b", "", dashboard.title)
  element(header, "span", "", dashboard.description)
  element(header, "span", "", said)
  const grid = element(page, "div")
  grid.id = "grid"
  grid.style.height = `${Math.max(...dashboard.panels.map(({ gridPos: at }) => at.y + at.h)) * (ROW + GAP)}px`
  dashboard.panels.forEach((panel, place) => {
    const at = panel.gridPos, box = element(grid, "div", "panel"), lines = answers[place]
    box.style.cssText = `left:${at.x * CELL}px;top:${at.y * (ROW + GAP)}px;width:${at.w * CELL - GAP}px;height:${at.h * (ROW + GAP) - GAP}px`
    element(box, "h2", "", panel.title)
    const body = element(box, "div", "body")
    if (lines.length) KINDS[panel.type](body, panel, lines, times)
    else element(body, "div", "none", "no data in this act")
  })
}
