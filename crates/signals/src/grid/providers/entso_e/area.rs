//! Areas of the transparency platform by grid zone. Energy identification codes are public; each ends in a check
//! character.

/// Zone and code. Zones are those of Electricity Maps; where a country is one area, the country's.
const AREAS: &[(&str, &str)] = &[
    ("AT", "10YAT-APG------L"),
    ("BA", "10YBA-JPCC-----D"),
    ("BE", "10YBE----------2"),
    ("BG", "10YCA-BULGARIA-R"),
    ("CH", "10YCH-SWISSGRIDZ"),
    ("CZ", "10YCZ-CEPS-----N"),
    ("DE", "10Y1001A1001A83F"),
    ("DK", "10Y1001A1001A65H"),
    ("DK-DK1", "10YDK-1--------W"),
    ("DK-DK2", "10YDK-2--------M"),
    ("EE", "10Y1001A1001A39I"),
    ("ES", "10YES-REE------0"),
    ("FI", "10YFI-1--------U"),
    ("FR", "10YFR-RTE------C"),
    ("GR", "10YGR-HTSO-----Y"),
    ("HR", "10YHR-HEP------M"),
    ("HU", "10YHU-MAVIR----U"),
    ("IE", "10YIE-1001A00010"),
    ("IT", "10YIT-GRTN-----B"),
    ("IT-CNO", "10Y1001A1001A70O"),
    ("IT-CSO", "10Y1001A1001A71M"),
    ("IT-NO", "10Y1001A1001A73I"),
    ("IT-SAR", "10Y1001A1001A74G"),
    ("IT-SIC", "10Y1001A1001A75E"),
    ("IT-SO", "10Y1001A1001A788"),
    ("LT", "10YLT-1001A0008Q"),
    ("LU", "10YLU-CEGEDEL-NQ"),
    ("LV", "10YLV-1001A00074"),
    ("ME", "10YCS-CG-TSO---S"),
    ("MK", "10YMK-MEPSO----8"),
    ("NL", "10YNL----------L"),
    ("NO", "10YNO-0--------C"),
    ("NO-NO1", "10YNO-1--------2"),
    ("NO-NO2", "10YNO-2--------T"),
    ("NO-NO3", "10YNO-3--------J"),
    ("NO-NO4", "10YNO-4--------9"),
    ("NO-NO5", "10Y1001A1001A48H"),
    ("PL", "10YPL-AREA-----S"),
    ("PT", "10YPT-REN------W"),
    ("RO", "10YRO-TEL------P"),
    ("RS", "10YCS-SERBIATSOV"),
    ("SE", "10YSE-1--------K"),
    ("SE-SE1", "10Y1001A1001A44P"),
    ("SE-SE2", "10Y1001A1001A45N"),
    ("SE-SE3", "10Y1001A1001A46L"),
    ("SE-SE4", "10Y1001A1001A47J"),
    ("SI", "10YSI-ELES-----O"),
    ("SK", "10YSK-SEPS-----K"),
    ("XK", "10Y1001C--00100H"),
];

/// The area of a zone.
pub(super) fn of_zone(zone: &str) -> Option<&'static str> {
    AREAS.binary_search_by_key(&zone, |(zone, _)| zone).ok().and_then(|at| AREAS.get(at)).map(|(_, area)| *area)
}

/// Whether a text is a code, by its check character.
///
/// ```text
/// values: 0-9 -> 0..9, A-Z -> 10..35, '-' -> 36        check = 36 - (sum of value * (17 - position) - 1) mod 37
/// ```
///
/// over the first fifteen characters, positions from 1 (ENTSO-E, EIC reference manual).
pub(super) fn is_code(text: &str) -> bool {
    let values: Option<Vec<u32>> = text
        .chars()
        .map(|c| match c {
            '-' => Some(36),
            _ => c.to_digit(36).filter(|_| !c.is_ascii_lowercase()),
        })
        .collect();
    let Some([first @ .., check]) = values.as_deref() else { return false };
    if first.len() != 15 {
        return false;
    }
    let sum: u32 = first.iter().zip((2..=16).rev()).map(|(value, weight)| value * weight).sum();
    // Adding 36 is subtracting 1 without leaving the numbers from 0 on.
    *check == 36 - (sum + 36) % 37
}

#[cfg(test)]
mod tests {
    use sci_core::region;

    use super::*;

    #[test]
    fn every_code_has_its_check_character() {
        for &(zone, code) in AREAS {
            assert!(is_code(code), "{zone} {code}");
        }
        for wrong in
            ["", "10YDE-VE-------3", "10Y1001A1001A83", "10y1001a1001a83f", "Ö0Y1001A1001A83F", "----------------"]
        {
            assert!(!is_code(wrong), "{wrong}");
        }
    }

    #[test]
    fn zones_are_in_order_and_found() {
        assert!(AREAS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for &(zone, code) in AREAS {
            assert_eq!(of_zone(zone), Some(code));
        }
        assert_eq!(of_zone("US-MIDA-PJM"), None);
        assert_eq!(of_zone("GB"), None, "nothing is published for Great Britain since 2021");
    }

    #[test]
    fn every_region_in_the_economic_area_or_switzerland_has_an_area() {
        let regions = region::catalogue().regions().iter();
        for region in regions.filter(|region| region.eea_member || region.in_ch()) {
            assert!(of_zone(region.zone.as_str()).is_some(), "{}", region.zone);
        }
    }
}
