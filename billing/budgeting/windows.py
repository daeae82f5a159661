"""When the windows of budgets begin and end. All boundaries are whole hours: budgets are summed by the hour."""

from datetime import date, datetime, time, timedelta

from billing.enums import BudgetWindow
from billing.periods import PARIS, following

HOUR = timedelta(hours=1)
_ROLLING = {BudgetWindow.LAST_DAY: timedelta(days=1), BudgetWindow.LAST_MONTH: timedelta(days=30)}


def window_start(window: BudgetWindow, now: datetime) -> datetime | None:
    """Return the first moment that counts, None when all do. A moving window is never told as shorter than it is."""
    if window in _ROLLING:
        return _hour(now) - _ROLLING[window]
    bounds = _calendar(window, now)
    return _midnight(bounds[0]) if bounds else None


def window_end(window: BudgetWindow, now: datetime) -> datetime | None:
    """Return when something of what is used is free again; None for never."""
    if window in _ROLLING:
        return _hour(now) + HOUR
    bounds = _calendar(window, now)
    return _midnight(bounds[1]) if bounds else None


def alert_start(window: BudgetWindow, now: datetime) -> datetime:
    """Return when the time began in which a threshold is told of once: a window that moves has a day, or month."""
    if window is BudgetWindow.LIFE:
        return datetime.fromtimestamp(0, PARIS)
    calendar = {
        BudgetWindow.LAST_DAY: BudgetWindow.DAY,
        BudgetWindow.LAST_MONTH: BudgetWindow.MONTH,
    }
    start = window_start(calendar.get(window, window), now)
    assert start is not None
    return start


def _calendar(window: BudgetWindow, now: datetime) -> tuple[date, date] | None:
    """Return the first day of a calendar window, and of the one behind it."""
    today = now.astimezone(PARIS).date()
    match window:
        case BudgetWindow.DAY:
            return today, today + timedelta(days=1)
        case BudgetWindow.WEEK:
            monday = today - timedelta(days=today.weekday())
            return monday, monday + timedelta(days=7)
        case BudgetWindow.MONTH:
            return today.replace(day=1), following(today)
        case BudgetWindow.YEAR:
            return date(today.year, 1, 1), date(today.year + 1, 1, 1)
    return None


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, PARIS)
