"""The tag in every form of the site; it stands in the place of Django's (see `builtins` in the settings)."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.web.kept_forms import FOR, mark_of

register = template.Library()
FIELD = '<input type="hidden" name="{}" value="{}">'


@register.simple_tag(takes_context=True)
def csrf_token(context: template.Context) -> SafeString:
    """Django's token, and for whom the form is made: it never comes back to somebody else (portal.web.kept_forms)."""
    drawn, user = context.get("csrf_token", "NOTPROVIDED"), context.get("user")
    field = SafeString("") if str(drawn) == "NOTPROVIDED" else format_html(FIELD, "csrfmiddlewaretoken", drawn)
    return field + format_html(FIELD, FOR, mark_of(user.pk)) if user and user.pk else field
