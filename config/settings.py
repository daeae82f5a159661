"""Django's settings: one file, every choice that differs between places read from the environment."""

import tomllib
from urllib.parse import urlsplit

from config import env

ROOT = env.ROOT
VAR = env.data_folder()
DEBUG = env.boolean("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY")
PEPPER = env.secret("PEPPER")
ENCRYPTION_KEY = env.secret("ENCRYPTION_KEY")
RUN_DIR = env.text("RUN_DIR", "")

SITE_NAME = env.text("SITE_NAME", "ILaaS")
SITE_TAGLINE = env.text("SITE_TAGLINE", "")
SITE_LOGO = env.text("SITE_LOGO", "img/logo.svg")
SITE_CONTACT = env.text("SITE_CONTACT", "")
SITE_SOURCE = env.text("SITE_SOURCE", "")
SITE_DOCUMENTATION = env.text("SITE_DOCUMENTATION", "")
# Of the router towards servers, as their firewalls see it; shown to whoever lends one.
EGRESS_ADDRESSES = env.words("EGRESS_ADDRESSES")
EGRESS_PORTS = env.ports("EGRESS_PORTS")
SIGN_IN_GRANTS = env.addresses("SIGN_IN_ADDRESSES")
# The router's: windows of measured energy wait for the longest request.
LONGEST_RUN_SECONDS = env.number("RUN_SECONDS", default=600.0)
MINIMUM_ALARM_SECONDS = env.integer("MINIMUM_ALARM_SECONDS", default=30)
# For so many months after a month of the accounts is closed, requests name the key that asked: docs/retention.md.
RETENTION_MONTHS = env.integer("RETENTION_MONTHS", default=12, least=1)
# For so many days measured energy is kept by the minute, then by the hour; calibrations look back on 28 of them.
ENERGY_MINUTES_DAYS = env.integer("ENERGY_MINUTES_DAYS", default=62, least=31)
# Given by the launcher alone, to `make run` and `make rehearse`: /demo/mail/ shows whatever was sent.
SHOWS_MAIL = env.boolean("SHOWS_MAIL", default=False)
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
PUBLIC_URL = env.public_url()

# Only the router reaches the portal, through a socket in a private folder. It passes on the Host that the client
# named, so that is believed only if it is the portal's own.
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS") or [
    urlsplit(PUBLIC_URL).hostname or "",
    "127.0.0.1",
    "localhost",
    "[::1]",
]
USE_X_FORWARDED_HOST = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "daphne",
    "federation.journal",
    "federation.people",
    "federation.members",
    "federation.identity",
    "federation.catalogue",
    "federation.fleet",
    "federation.access",
    "billing",
    "routing.bridge",
    "dashboards",
    "config.demo",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "federation.people.admin_app.RegisterAdminConfig",
    "django.contrib.humanize",
    "django_htmx",
    "django_q",
    "channels",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.socialaccount.providers.saml",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.headers.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "dashboards.errors.WrongMethodPage",
    "federation.people.gate.SecondFactorGate",
]

ROOT_URLCONF = "config.urls"
CSRF_FAILURE_VIEW = "dashboards.errors.csrf_failure"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboards.context.site",
            ],
        },
    },
]

_database = env.database()
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.pop("dbname", "ilaas"),
        "USER": _database.pop("user", ""),
        "PASSWORD": _database.pop("password", ""),
        "HOST": _database.pop("host", ""),
        "PORT": _database.pop("port", ""),
        "OPTIONS": dict(_database),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    },
}
# What is counted against brute force must outlive a restart; what pages show need not.
COUNTERS = "portal_cache"
CACHES = {
    "default": {
        "BACKEND": "federation.people.counters.CounterCache",
        "LOCATION": COUNTERS,
    },
    "memory": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "federation.people.adapter.AccountAdapter"
# The router in front names one address, the one it believes (TRUSTED_PROXIES).
ALLAUTH_TRUSTED_PROXY_COUNT = 1
# Services that vouch for people are rows of the register; what they say of somebody is believed as far as it is theirs.
SOCIALACCOUNT_ADAPTER = "federation.identity.adapter.SocialAdapter"
SOCIALACCOUNT_PROVIDERS = {
    "saml": {"provider_class": "federation.identity.saml.provider.FederationProvider"},
    "openid_connect": {"provider_class": "federation.identity.oidc.provider.OidcProvider"},
}
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_LOGIN_ON_GET = True  # a form that leads elsewhere is forbidden to pages (form-action)
SOCIALACCOUNT_STORE_TOKENS = False
MFA_ADAPTER = "federation.people.adapter.MFAAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_SIGNUP_FORM_CLASS = "federation.people.signup.SignupForm"
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
# A code to type rather than a link: programs that inspect mail open links, and the page one came for stays open.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{SITE_NAME}] "
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
# How often: the address in front (`ip`, of IPv6 its /64) and the account (`key`, `user`). Each is counted in the
# database, so that neither a restart nor a second portal forgets.
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",  # passwords and one-time codes alike
    "signup": "20/m/ip",
    "confirm_email": "1/10s/key",
    "reset_password": "20/m/ip,3/10m/key",
    "reset_password_from_key": "20/m/ip",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
    "manage_email": "10/m/user",
    "invitation": "20/m/ip",
    "first_admin": "10/m/ip",
    "passkey_begun": "30/m/ip",  # each asks for a session of its own
    "doctor": "10/m/ip",
    "leak": "10/m/ip",
    "wrong_key": "20/m/ip",
}
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS = 3
MFA_RATE_LIMITS = {"webauthn_login": "10/m/ip"}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "authenticate": "federation.people.code_forms.AuthenticateForm",
    "reauthenticate": "federation.people.code_forms.ReauthenticateForm",
    "add_webauthn": "federation.people.code_forms.AddPasskeyForm",
    "edit_webauthn": "federation.people.code_forms.EditPasskeyForm",
}
MFA_TOTP_ISSUER = SITE_NAME
MFA_TOTP_TOLERANCE = 1  # a telephone's clock may be half a minute off
LOGIN_REDIRECT_URL = "home"
LOGIN_URL = "account_login"
LOGOUT_REDIRECT_URL = "home"
EMAIL_HOST = env.text("EMAIL_HOST", "")
EMAIL_PORT = env.integer("EMAIL_PORT", default=25)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.boolean("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 20
EMAIL_BACKEND = env.text(
    "EMAIL_BACKEND",
    f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'filebased'}.EmailBackend",
)
EMAIL_FILE_PATH = VAR / "mail"
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "ilaas@localhost")

LANGUAGE_CODE = "fr"
LANGUAGES = [("fr", "Français"), ("en", "English")]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SAMESITE = "Lax"
LOCALE_PATHS = [ROOT / "locale"]
FORMAT_MODULE_PATH = ["config.formats"]
USE_I18N = True
TIME_ZONE = "Europe/Paris"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "static"]
STATIC_ROOT = VAR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MEDIA_ROOT = VAR / "media"

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = PUBLIC_URL.startswith(
    "https://"
)
SECURE_HSTS_SECONDS = 31_536_000 if PUBLIC_URL.startswith("https://") else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

# One small cluster: the bell of the background work. The work itself is rows, safe to run twice.
Q_CLUSTER = {
    "name": "ilaas",
    "orm": "default",
    "workers": 1,
    "timeout": 300,
    "retry": 360,
    "max_attempts": 5,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 250,
    "poll": 1,
}
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    # What a visitor may bring about is answered with a page; a traceback for each would only fill the disk.
    "loggers": {
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django.request": {"level": "ERROR"},
        "fido2": {"level": "WARNING"},  # else it names each passkey that is used
    },
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
}
