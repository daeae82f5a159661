"""Random fault schedules: what goes wrong at which server and when, who asks meanwhile, and what that excuses.

`schedule` makes them from a seed, `house` runs one against a real router, `oracle` judges what clients saw.
"""
