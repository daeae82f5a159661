"""Charts as plain dictionaries, for `static/js/chart.js` to draw: data and words here, colours in the page."""
