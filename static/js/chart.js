// Draws `<div class="ilaas-chart" data-chart="ID">` from the figure in the JSON script element of that id.
// Colours and letters are the style sheet's tokens, so a chart follows light and dark.
"use strict";

// Plotly's French months are written "Fév", "Jun", "Aoû".
const FRENCH_DATES = {
  months: [
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
  ],
  shortMonths: [
    "janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.",
  ],
  days: ["dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"],
  shortDays: ["dim.", "lun.", "mar.", "mer.", "jeu.", "ven.", "sam."],
  date: "%d/%m/%Y",
  decimal: ",",
  thousands: "\u202f",
  year: "%Y",
  month: "%b %Y",
  dayMonth: "%-d %b",
  dayMonthYear: "%-d %b %Y",
};
const SERIES = [1, 2, 3, 4, 5, 6, 7, 8];

/** Resolve a token to a plain colour: Plotly knows no light-dark(). */
function token(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--ilaas-${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

function look() {
  const [ink, line, sheet] = [token("ink-soft"), token("line"), token("sheet")];
  const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, automargin: true, fixedrange: true };
  return {
    autosize: true,
    colorway: SERIES.map((n) => token(`series-${n}`)),
    font: { color: ink, family: getComputedStyle(document.body).fontFamily, size: 13 },
    hoverlabel: { bgcolor: sheet, bordercolor: line, font: { color: token("ink") } },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    margin: { t: 12, r: 8, b: 32, l: 48 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    bargap: 0.25,
    separators: document.documentElement.lang === "fr" ? ",\u202f" : ".,",
    transition: { duration: 0 },
    xaxis: axis,
    yaxis: { ...axis, separatethousands: true },
  };
}

function draw(place) {
  const figure = JSON.parse(document.getElementById(place.dataset.chart).textContent);
  const layout = { ...look(), ...figure.layout };
  for (const axis of ["xaxis", "yaxis"]) layout[axis] = { ...look()[axis], ...figure.layout[axis] };
  const options = { locale: document.documentElement.lang, responsive: true, displaylogo: false, displayModeBar: false };
  return Plotly.react(place, figure.data, layout, options);
}

function drawAll() {
  for (const place of document.querySelectorAll("[data-chart]")) draw(place);
}

Plotly.register({ moduleType: "locale", name: "fr", dictionary: {}, format: FRENCH_DATES });
document.addEventListener("themechange", drawAll);
drawAll();
